//! The rows as CSV: one line a row, without the total, because programs add up by themselves.

use crate::domain::view::{Report, ReportRow};

pub fn csv(report: &Report) -> String {
    let mut text = "key,released,already_ended,failed,stuck,saved_runtime_seconds,saved_cost,currency,\
                    overrun_p50_seconds,overrun_p99_seconds,overrun_max_seconds\n"
        .to_owned();
    for row in &report.rows {
        text.push_str(&fields(row).join(","));
        text.push('\n');
    }
    text
}

fn fields(row: &ReportRow) -> [String; 11] {
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    [
        row.key.as_deref().map(quoted).unwrap_or_default(),
        row.released.to_string(),
        row.already_ended.to_string(),
        row.failed.to_string(),
        row.stuck.to_string(),
        row.saved_runtime_seconds.to_string(),
        number(row.saved_cost),
        row.currency.as_deref().map(quoted).unwrap_or_default(),
        number(row.overrun_seconds.p50),
        number(row.overrun_seconds.p99),
        number(row.overrun_seconds.max),
    ]
}

/// RFC 4180; an empty text is quoted, so that it differs from none.
fn quoted(field: &str) -> String {
    if field.is_empty() || field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::sections::tests::{report, row};
    use super::*;

    #[test]
    fn csv_quotes_what_would_break_a_line_and_tells_empty_from_none() {
        let text = csv(&report(vec![row(Some("a,\"b\"\nc")), row(Some("")), row(None)]));
        let rest = "12,1,0,2,9000.25,0.3,USD,0.012,1.5,\n";
        let (_, rows) = text.split_once('\n').unwrap();
        assert_eq!(rows, format!("\"a,\"\"b\"\"\nc\",{rest}\"\",{rest},{rest}"));
    }
}
