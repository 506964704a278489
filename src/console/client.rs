//! A client of the admin socket: JSON-RPC 2.0, one object a line, over a Unix socket.

use super::Fault;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// The switch answers from memory; one that takes longer than this is not well.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Asks once and returns the result.
    pub fn call(&self, method: &str, params: Value) -> Result<Value, Fault> {
        let mut stream = self.ask(method, params)?;
        let answer = self.line(&mut stream)?.ok_or_else(|| self.hung_up())?;
        self.result(answer)
    }

    /// Subscribes, and hands every message that follows to `each` until the switch goes away.
    pub fn follow(
        &self,
        method: &str,
        params: Value,
        mut each: impl FnMut(&Value) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut stream = self.ask(method, params)?;
        let answer = self.line(&mut stream)?.ok_or_else(|| self.hung_up())?;
        self.result(answer)?;
        // From here on silence only means that nothing happens.
        stream.get_ref().set_read_timeout(None).map_err(|e| self.broken(&e))?;
        while let Some(message) = self.line(&mut stream)? {
            each(message.get("params").unwrap_or(&message))?;
        }
        Err(self.hung_up())
    }

    fn ask(&self, method: &str, params: Value) -> Result<BufReader<UnixStream>, Fault> {
        let mut stream = UnixStream::connect(&self.socket).map_err(|e| self.unreachable(&e))?;
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let setup = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        setup.map_err(|e| self.broken(&e))?;
        stream.write_all(format!("{request}\n").as_bytes()).map_err(|e| self.broken(&e))?;
        Ok(BufReader::new(stream))
    }

    /// The next message, or `None` at the end.
    fn line(&self, stream: &mut BufReader<UnixStream>) -> Result<Option<Value>, Fault> {
        let mut line = String::new();
        if stream.read_line(&mut line).map_err(|e| self.broken(&e))? == 0 {
            return Ok(None);
        }
        let name = self.socket.display();
        let strange = |e| Fault::work(format!("{name} does not speak the admin protocol: {e}"));
        serde_json::from_str(&line).map(Some).map_err(strange)
    }

    fn result(&self, mut answer: Value) -> Result<Value, Fault> {
        match answer.get("error") {
            Some(error) => {
                let message = error["message"].as_str().unwrap_or("the switch refused");
                Err(Fault::work(message.replace('\n', " ")))
            }
            None => Ok(answer["result"].take()),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Fault {
        let name = self.socket.display();
        Fault::work(match error.kind() {
            io::ErrorKind::NotFound => {
                format!("no switch at {name}; start one with `pukar run`, or name its --socket")
            }
            io::ErrorKind::ConnectionRefused => {
                format!("nobody listens on {name}; the switch is down, start it with `pukar run`")
            }
            io::ErrorKind::PermissionDenied => {
                format!("{name} may not be used by you; ask for its group, or use sudo")
            }
            _ => format!("cannot reach the switch at {name}: {error}"),
        })
    }

    fn broken(&self, error: &io::Error) -> Fault {
        let name = self.socket.display();
        Fault::work(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("no answer from {name} in {} s; look at its log", PATIENCE.as_secs())
            }
            _ => format!("the connection to {name} broke: {error}; try again"),
        })
    }

    fn hung_up(&self) -> Fault {
        let name = self.socket.display();
        Fault::work(format!("the switch at {name} closed the connection; look at its log"))
    }
}
