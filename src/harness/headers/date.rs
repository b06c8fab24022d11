//! The three forms of a date in HTTP (RFC 9110, section 5.6.7), by their pictures.

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// Seconds since 1970, where alone dates of HTTP begin to matter.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let text = text.trim_ascii();
    let weekday = text.split([',', ' ']).next()?;
    let rest = text.strip_prefix(weekday)?;
    let is_long = DAYS.contains(&weekday);
    let weekday = DAYS
        .iter()
        .position(|day| *day == weekday || day[..3] == *weekday)?;
    let (day, month, year, time) = if is_long {
        // Sunday, 06-Nov-94 08:49:37 GMT
        // The library does not look at what stands between the date and the time.
        let rest = rest.strip_prefix(", ")?;
        let (date, time) = (rest.get(..9)?, rest.get(10..)?);
        let [day, month, year] = parts(date, '-')?;
        let year = number(year, 2)?;
        let year = if year < 70 { 2000 + year } else { 1900 + year };
        (number(day, 2)?, month, year, time.strip_suffix(" GMT")?)
    } else if let Some(rest) = rest.strip_prefix(", ") {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let [day, month, year, time] = parts(rest.strip_suffix(" GMT")?, ' ')?;
        (number(day, 2)?, month, number(year, 4)?, time)
    } else {
        // Sun Nov  6 08:49:37 1994
        let rest = rest.strip_prefix(' ')?;
        let (month, rest) = rest.split_once(' ')?;
        let (day, rest) = rest.split_at_checked(2)?;
        let day = match day.strip_prefix(' ') {
            Some(day) => number(day, 1)?,
            None => number(day, 2)?,
        };
        let (time, year) = rest.strip_prefix(' ')?.split_once(' ')?;
        (day, month, number(year, 4)?, time)
    };
    let month = MONTHS.iter().position(|(name, _)| *name == month)?;
    let [hour, minute, second] = parts(time, ':')?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    let length = |month: usize, year: u64| {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        MONTHS[month].1 + u64::from(is_leap && month == 1)
    };
    let is_real = year >= 1970 && (1..=length(month, year)).contains(&day);
    if !is_real || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let years = (1970..year).map(|year| 337 + length(1, year));
    let months = (0..month).map(|month| length(month, year));
    let days = years.sum::<u64>() + months.sum::<u64>() + day - 1;
    // 1970 began on a Thursday.
    let is_weekday = usize::try_from((days + 3) % 7).ok()? == weekday;
    is_weekday.then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let parts: Vec<_> = text.split(separator).collect();
    parts.try_into().ok()
}

fn number(digits: &str, length: usize) -> Option<u64> {
    let is_one = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| digits.parse().ok())?
}
