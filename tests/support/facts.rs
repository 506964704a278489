//! The admin socket as a client sees it: requests one after the other, and the stream of facts,
//! which is what the tests wait for.

use super::{Deadline, PATIENCE};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

pub struct Admin {
    stream: BufReader<UnixStream>,
}

impl Admin {
    pub fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the admin socket");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// The result, or the error's sentence.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, String> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.stream.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut answer = self.read().expect("an answer from the admin socket");
        match answer.get("error") {
            Some(error) => Err(error["message"].as_str().unwrap_or_default().to_string()),
            None => Ok(answer["result"].take()),
        }
    }

    /// What comes by itself, after a subscription.
    pub fn notification(&mut self) -> Value {
        self.read().expect("a notification")["params"].take()
    }

    fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
        Some(serde_json::from_str(&line).expect("a line of JSON"))
    }
}

/// Everything that happened, from the first fact on, or from the oldest that there is.
pub struct Facts {
    coming: Receiver<Value>,
    seen: Vec<Value>,
    /// The first one that was not looked at yet.
    next: usize,
}

impl Facts {
    pub fn of(path: &Path) -> Self {
        let mut admin = Admin::connect(path);
        if let Err(why) = admin.ask("events.subscribe", json!({"from": 1})) {
            let oldest = why.rsplit(' ').next().and_then(|word| word.parse::<u64>().ok());
            let oldest = oldest.unwrap_or_else(|| panic!("no subscription: {why}"));
            admin.ask("events.subscribe", json!({"from": oldest})).expect("a subscription");
        }
        admin.stream.get_ref().set_read_timeout(None).unwrap();
        let (sender, coming) = channel();
        std::thread::spawn(move || {
            while let Some(mut message) = admin.read() {
                if sender.send(message["params"].take()).is_err() {
                    return;
                }
            }
        });
        Self { coming, seen: Vec::new(), next: 0 }
    }

    /// The next fact of this kind that fits; those before it are passed over.
    pub fn until(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Deadline::after(PATIENCE);
        loop {
            while let Some(fact) = self.seen.get(self.next) {
                self.next += 1;
                if fact["kind"] == kind && fits(fact) {
                    return fact.clone();
                }
            }
            match self.coming.recv_timeout(deadline.left().unwrap_or_default()) {
                Ok(fact) => self.seen.push(fact),
                Err(_) => panic!("never came: {kind}\nwhat came:\n{}", self.text()),
            }
        }
    }

    /// Waits until so many of this kind have come since the start.
    pub fn until_count(&mut self, kind: &str, least: usize) {
        let deadline = Deadline::after(PATIENCE);
        while self.count(kind) < least {
            match self.coming.recv_timeout(deadline.left().unwrap_or_default()) {
                Ok(fact) => self.seen.push(fact),
                Err(_) => panic!("never came: {least} {kind}\nwhat came:\n{}", self.text()),
            }
        }
    }

    /// How many of this kind came until now.
    pub fn count(&mut self, kind: &str) -> usize {
        self.seen.extend(self.coming.try_iter());
        self.seen.iter().filter(|fact| fact["kind"] == kind).count()
    }

    /// The numbers of all that came until now, in the order in which they came.
    pub fn seqs(&mut self) -> Vec<u64> {
        self.seen.extend(self.coming.try_iter());
        self.seen.iter().filter_map(|fact| fact["seq"].as_u64()).collect()
    }

    pub fn text(&self) -> String {
        let lines: Vec<String> = self.seen.iter().map(Value::to_string).collect();
        lines.join("\n")
    }
}
