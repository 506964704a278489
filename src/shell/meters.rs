//! Counters and histograms, and their text for Prometheus. No listener: whoever may read them asks
//! the admin socket, or a web server that has its own rules.
//!
//! A handle is looked up once and kept; counting is one atomic addition.

use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

const SPANS_US: [f64; 12] =
    [1., 2., 5., 10., 20., 50., 100., 200., 500., 1_000., 10_000., 100_000.];

const BATCH: &str = "pukar_batch_events";
const BATCHES: [f64; 8] = [1., 2., 4., 8., 16., 64., 256., 1_024.];

/// The metrics of one running switch.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

/// What the core loop counts.
pub struct LoopMeters {
    pub events: Counter,
    pub commands: Counter,
    pub facts: Counter,
    pub datagrams_in: Counter,
    pub datagrams_out: Counter,
    pub datagrams_dropped: Counter,
    pub datagrams_ignored: Counter,
    pub handle_us: Histogram,
    pub batch: Histogram,
    /// How late the loop came to a deadline.
    pub late_us: Histogram,
    /// How long the loop stood still to copy what the core knows.
    pub snapshot_us: Histogram,
}

/// What the rest of the shell counts.
#[derive(Clone)]
pub struct ShellMeters {
    pub calls: Counter,
    pub calls_live: Gauge,
    pub connections: Gauge,
    pub connections_refused: Counter,
    pub stream_messages: Counter,
    pub rows: Counter,
    pub rows_stored: Counter,
    pub store_failures: Counter,
    pub admin_requests: Counter,
    pub packets_in: Counter,
    pub packets_out: Counter,
    pub packets_unsent: Counter,
    pub media_events_lost: Counter,
    pub recordings: Counter,
    pub recordings_failed: Counter,
    /// Packets of recorded calls that the disk was too slow for.
    pub recording_packets_lost: Counter,
    pub journal_octets: Counter,
    pub journal_failures: Counter,
    /// 1 while a restart could not bring back what is going on now.
    pub journal_gap: Gauge,
    /// 1 while the configuration has mistakes, and an older one is in force.
    pub configuration_refused: Gauge,
    /// When our certificate is good no longer, in seconds since 1970; 0: there is none.
    pub certificate_until: Gauge,
}

/// What is counted of one store.
pub struct StoreMeters {
    /// Rows in the outbox that it does not have.
    pub behind: Gauge,
    /// 0 while it takes no rows.
    pub up: Gauge,
    /// Rows that it never gets, since the outbox was full of them.
    pub let_go: Counter,
    /// Rows that lie aside since the store has refused them, each alone.
    pub refused: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_us".into()), &SPANS_US)
            .and_then(|it| it.set_buckets_for_metric(Matcher::Full(BATCH.into()), &BATCHES))
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        Self { recorder, handle }
    }

    pub fn for_loop(&self) -> LoopMeters {
        metrics::with_local_recorder(&self.recorder, || LoopMeters {
            events: metrics::counter!("pukar_events_total"),
            commands: metrics::counter!("pukar_commands_total"),
            facts: metrics::counter!("pukar_facts_total"),
            datagrams_in: metrics::counter!("pukar_sip_datagrams_received_total"),
            datagrams_out: metrics::counter!("pukar_sip_datagrams_sent_total"),
            datagrams_dropped: metrics::counter!("pukar_sip_datagrams_dropped_total"),
            datagrams_ignored: metrics::counter!("pukar_sip_datagrams_ignored_total"),
            handle_us: metrics::histogram!("pukar_handle_us"),
            batch: metrics::histogram!(BATCH),
            late_us: metrics::histogram!("pukar_deadline_late_us"),
            snapshot_us: metrics::histogram!("pukar_snapshot_us"),
        })
    }

    pub fn for_shell(&self) -> ShellMeters {
        metrics::with_local_recorder(&self.recorder, || ShellMeters {
            calls: metrics::counter!("pukar_calls_total"),
            calls_live: metrics::gauge!("pukar_calls_live"),
            connections: metrics::gauge!("pukar_connections"),
            connections_refused: metrics::counter!("pukar_connections_refused_total"),
            stream_messages: metrics::counter!("pukar_sip_stream_messages_total"),
            rows: metrics::counter!("pukar_rows_total"),
            rows_stored: metrics::counter!("pukar_rows_stored_total"),
            store_failures: metrics::counter!("pukar_store_failures_total"),
            admin_requests: metrics::counter!("pukar_admin_requests_total"),
            packets_in: metrics::counter!("pukar_media_packets_received_total"),
            packets_out: metrics::counter!("pukar_media_packets_sent_total"),
            packets_unsent: metrics::counter!("pukar_media_packets_unsent_total"),
            media_events_lost: metrics::counter!("pukar_media_events_lost_total"),
            recordings: metrics::counter!("pukar_recordings_total"),
            recordings_failed: metrics::counter!("pukar_recordings_failed_total"),
            recording_packets_lost: metrics::counter!("pukar_recording_packets_lost_total"),
            journal_octets: metrics::counter!("pukar_journal_octets_total"),
            journal_failures: metrics::counter!("pukar_journal_failures_total"),
            journal_gap: metrics::gauge!("pukar_journal_gap"),
            configuration_refused: metrics::gauge!("pukar_configuration_refused"),
            certificate_until: metrics::gauge!("pukar_certificate_expires_timestamp_seconds"),
        })
    }

    pub fn for_store(&self, name: &str) -> StoreMeters {
        let label = name.to_string();
        metrics::with_local_recorder(&self.recorder, || StoreMeters {
            behind: metrics::gauge!("pukar_store_rows_behind", "store" => label.clone()),
            up: metrics::gauge!("pukar_store_up", "store" => label.clone()),
            let_go: metrics::counter!("pukar_store_rows_let_go_total", "store" => label.clone()),
            refused: metrics::gauge!("pukar_store_rows_refused", "store" => label),
        })
    }

    /// Text for Prometheus, exposition format 0.0.4.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what the histograms have collected; called every few seconds, so that a switch whose
    /// metrics nobody reads does not keep every sample.
    pub fn tidy_up(&self) {
        self.handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_switches_in_one_process_count_apart() {
        let (one, two) = (Metrics::new(), Metrics::new());
        one.for_loop().events.increment(3);
        one.for_loop().handle_us.record(7.0);
        two.for_loop().events.increment(1);
        let text = one.render();
        assert!(text.contains("pukar_events_total 3"), "{text}");
        assert!(text.contains("pukar_handle_us_bucket{le=\"10\"} 1"), "{text}");
        assert!(two.render().contains("pukar_events_total 1"));
    }
}
