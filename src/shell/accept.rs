//! What every listener does when a connection could not be accepted.

use std::io;
use std::time::Duration;

/// When no more files can be opened, how long until the next try.
const BREATH: Duration = Duration::from_millis(100);

/// Says so and takes a breath: without it a listener that is out of files would spin.
pub async fn failed(whose: &str, error: &io::Error) {
    tracing::warn!("a connection to {whose} could not be accepted: {error}");
    tokio::time::sleep(BREATH).await;
}
