//! The process's own figures, under the names that Prometheus dashboards expect, read from `/proc`. Elsewhere than on Linux there are none.

use std::fs;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge};

/// The unit of times in `/proc/*/stat`: USER_HZ, which is 100 on every architecture that Rust's Linux targets support.
const TICKS_PER_SECOND: f64 = 100.0;

/// Read afresh for each scrape; what cannot be read is left out.
pub(super) fn gather() -> Vec<MetricFamily> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let system = fs::read_to_string("/proc/stat").unwrap_or_default();
    let figures = [
        counter("process_cpu_seconds_total", "User and system CPU time spent.", cpu_seconds(&stat)),
        gauge("process_open_fds", "Open file descriptors.", open_fds()),
        gauge("process_resident_memory_bytes", "Resident memory size.", resident_bytes(&status)),
        gauge("process_start_time_seconds", "Start time of the process since the Unix epoch.", start_time(&stat, &system)),
    ];
    figures.into_iter().flatten().flatten().collect()
}

fn counter(name: &str, help: &str, value: Option<f64>) -> Option<Vec<MetricFamily>> {
    let counter = Counter::new(name, help).ok()?;
    counter.inc_by(value?);
    Some(counter.collect())
}

fn gauge(name: &str, help: &str, value: Option<f64>) -> Option<Vec<MetricFamily>> {
    let gauge = Gauge::new(name, help).ok()?;
    gauge.set(value?);
    Some(gauge.collect())
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS_PER_SECOND)
}

fn start_time(stat: &str, system: &str) -> Option<f64> {
    let boot: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + field(stat, 22)? / TICKS_PER_SECOND)
}

/// A field of `/proc/self/stat`, counted from 1 as proc(5) does. The second is the command's name, which may hold spaces and brackets.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn resident_bytes(status: &str) -> Option<f64> {
    let kibibytes: f64 = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024.0)
}

fn open_fds() -> Option<f64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a (strange) name) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 2500 1 1";

    #[test]
    fn a_strange_name_does_not_shift_the_fields() {
        assert_eq!(cpu_seconds(STAT), Some(2.0));
        assert_eq!(start_time(STAT, "cpu 1 2\nbtime 1000\n"), Some(1_025.0));
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2 kB\n"), Some(2_048.0));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!((cpu_seconds(""), start_time(STAT, ""), resident_bytes("VmRSS: lots")), (None, None, None));
    }
}
