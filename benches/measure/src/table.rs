//! The figures, as they are printed.

use crate::{Baseline, Cost};

/// A line of the table.
#[derive(Clone, Copy, Default)]
pub struct Row<'a> {
    pub name: &'a str,
    /// What the figures are of: a call, an event, a byte.
    pub unit: &'a str,
    pub most_instructions: Option<f64>,
    pub most_allocations: Option<f64>,
}

/// What is printed as it is measured.
pub struct Table {
    baseline: Option<Baseline>,
    missed: usize,
}

impl Table {
    pub fn new(title: &str, baseline: Option<Baseline>) -> Self {
        let columns = ["instructions", "baseline", "allocs"];
        Self::with(title, columns, baseline)
    }

    /// Of figures of other kinds alone.
    pub fn of(title: &str, kind: &str) -> Self {
        Self::with(title, [kind, "", ""], None)
    }

    fn with(title: &str, [first, second, third]: [&str; 3], baseline: Option<Baseline>) -> Self {
        println!("{title}\n");
        println!("{:<58} {first:>12} {second:>8} {third:>8}  mark", "");
        Self {
            baseline,
            missed: 0,
        }
    }

    /// A measured row, which ends in how it stands to its mark.
    pub fn row(&mut self, row: Row<'_>, cost: Cost) {
        let baseline = self.baseline.as_mut();
        let change = baseline.and_then(|baseline| baseline.compare(row.name, cost));
        let instructions = cost.instructions.map_or("-".to_owned(), grouped);
        let change = change.map_or(String::new(), |change| format!("{change:+.1} %"));
        let allocations = format!("{:.2}", cost.allocations);
        let name = format!("{}, {}", row.name, row.unit);
        let mut marks = Vec::new();
        let mut met = true;
        if let (Some(most), Some(count)) = (row.most_instructions, cost.instructions) {
            met &= count <= most;
            marks.push(format!("≤ {}", grouped(most)));
        }
        if let Some(most) = row.most_allocations {
            met &= cost.allocations <= most + 0.005;
            marks.push(format!("≤ {most} allocs"));
        }
        let verdict = (!marks.is_empty()).then_some(met);
        let figures = format!("{instructions:>12} {change:>8} {allocations:>8}");
        self.line(&name, &figures, &marks.join(", "), verdict);
    }

    /// A row of a figure of another kind.
    pub fn figure(&mut self, name: &str, figure: &str, mark: &str, met: Option<bool>) {
        self.line(
            name,
            &format!("{figure:>12} {:>8} {:>8}", "", ""),
            mark,
            met,
        );
    }

    fn line(&mut self, name: &str, figures: &str, mark: &str, met: Option<bool>) {
        let verdict = match met {
            None => "",
            Some(true) => " met",
            Some(false) => " missed",
        };
        self.missed += usize::from(met == Some(false));
        println!(
            "{}",
            format!("{name:<58} {figures}  {mark}{verdict}").trim_end()
        );
    }

    /// Ends the table. Whether all is well: no count is over the baseline.
    pub fn close(self) -> bool {
        self.baseline.is_none_or(Baseline::close)
    }
}

/// A number as people read it: large ones in groups of three digits, small ones with two decimals.
pub fn grouped(number: f64) -> String {
    if number < 100.0 {
        return format!("{number:.2}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
