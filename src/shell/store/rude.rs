//! A web server as rude as they come, for tests: it refuses, hangs up before and after it has
//! understood, and answers in crumbs. It keeps the rows of known keys once.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Takes,
    /// 503, and nothing is kept.
    Refuses,
    /// The connection is cut after the head.
    CutsIn,
    /// Everything is kept, and then the connection is cut without an answer.
    ForgetsToAnswer,
    /// Somewhere else, please.
    Redirects,
    /// Everything is kept; the answer comes octet by octet.
    Crumbles,
}

#[derive(Default)]
pub struct Kept {
    pub rows: Vec<Value>,
    pub repeats: usize,
    pub heads: Vec<String>,
}

/// Serves one request after the other in these moods, then takes everything.
pub fn serve(moods: &[Mood]) -> (SocketAddr, Arc<Mutex<Kept>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let (shared, moods) = (Arc::clone(&kept), moods.to_vec());
    std::thread::spawn(move || {
        let mut moods = moods.into_iter();
        for stream in listener.incoming().flatten() {
            let mood = moods.next().unwrap_or(Mood::Takes);
            let _ = answer(stream, mood, &shared);
        }
    });
    (at, kept)
}

/// The head and the body of each request.
pub type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Another, which answers with these words and 200, one after the other; what it was asked.
pub fn says(words: &[&'static str]) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (heard, words) = (Arc::clone(&asked), words.to_vec());
    std::thread::spawn(move || {
        for (mut stream, words) in listener.incoming().flatten().zip(words) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (head, len) = head(&mut reader).unwrap();
            let mut body = vec![0; len];
            reader.read_exact(&mut body).unwrap();
            heard.lock().unwrap().push((head, serde_json::from_slice(&body).unwrap()));
            let len = words.len();
            let text = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{words}"
            );
            stream.write_all(text.as_bytes()).unwrap();
        }
    });
    (at, asked)
}

/// And how long the body is.
fn head(reader: &mut BufReader<TcpStream>) -> std::io::Result<(String, usize)> {
    let (mut head, mut len) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            return Ok((head, len));
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            len = value.trim().parse().unwrap_or(0);
        }
        head.push_str(&line);
    }
}

fn answer(mut stream: TcpStream, mood: Mood, kept: &Mutex<Kept>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (head, len) = head(&mut reader)?;
    if mood == Mood::CutsIn {
        return Ok(());
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body)?;
    if mood == Mood::Refuses || mood == Mood::Redirects {
        let status = if mood == Mood::Refuses { "503 Busy" } else { "302 Found\r\nLocation: /x" };
        let text =
            format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy");
        return stream.write_all(text.as_bytes());
    }
    keep(&head, &body, &mut kept.lock().unwrap());
    let done = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    match mood {
        Mood::ForgetsToAnswer => Ok(()),
        Mood::Crumbles => done.chunks(1).try_for_each(|octet| {
            stream.write_all(octet)?;
            stream.flush()
        }),
        _ => stream.write_all(done),
    }
}

fn keep(head: &str, body: &[u8], kept: &mut Kept) {
    kept.heads.push(head.into());
    for line in body.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
        let row: Value = serde_json::from_slice(line).expect("a line of JSON");
        match kept.rows.iter().any(|known| known["key"] == row["key"]) {
            true => kept.repeats += 1,
            false => kept.rows.push(row),
        }
    }
}
