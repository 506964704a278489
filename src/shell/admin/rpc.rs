//! The words of JSON-RPC 2.0: requests, results, errors with what to do about them.

use serde_json::{Map, Value, json};

/// A request whose form is right. Without an id it is a notification and gets no answer.
#[derive(Debug, PartialEq)]
pub struct Request {
    pub id: Option<Value>,
    pub method: String,
    pub params: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: i32,
    pub message: String,
}

impl Fault {
    /// What was sent is not JSON.
    pub fn parse(message: impl Into<String>) -> Self {
        Self { code: -32_700, message: message.into() }
    }

    /// It is JSON, but no request.
    pub fn request(message: impl Into<String>) -> Self {
        Self { code: -32_600, message: message.into() }
    }

    pub fn method(message: impl Into<String>) -> Self {
        Self { code: -32_601, message: message.into() }
    }

    pub fn params(message: impl Into<String>) -> Self {
        Self { code: -32_602, message: message.into() }
    }

    /// The switch understood and refuses.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: -32_000, message: message.into() }
    }

    /// The switch did not answer in time, or stops.
    pub fn silent(message: impl Into<String>) -> Self {
        Self { code: -32_001, message: message.into() }
    }

    /// It is not theirs to do.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self { code: -32_003, message: message.into() }
    }

    /// Facts that were asked for are not here any more, or not yet.
    pub fn missed(message: impl Into<String>) -> Self {
        Self { code: -32_002, message: message.into() }
    }
}

/// A request, or why it is none, with the id to answer to where it can be seen.
pub fn read(line: &[u8]) -> Result<Request, (Value, Fault)> {
    let object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err((Value::Null, Fault::request("send one JSON object a line"))),
        Err(error) => {
            return Err((Value::Null, Fault::parse(format!("this line is no JSON: {error}"))));
        }
    };
    let id = object.get("id").cloned();
    let fault = |what: &str| (id.clone().unwrap_or_default(), Fault::request(what));
    if object.get("jsonrpc").is_some_and(|version| version != "2.0") {
        return Err(fault("\"jsonrpc\" must be \"2.0\""));
    }
    if id.as_ref().is_some_and(|id| !(id.is_string() || id.is_number() || id.is_null())) {
        return Err((Value::Null, Fault::request("\"id\" must be a string or a number")));
    }
    let Some(method) = object.get("method").and_then(Value::as_str) else {
        return Err(fault(
            r#""method" is missing: try {"jsonrpc":"2.0","id":1,"method":"status"}"#,
        ));
    };
    let params = match object.get("params") {
        None | Some(Value::Null) => json!({}),
        Some(params @ Value::Object(_)) => params.clone(),
        Some(_) => return Err(fault("\"params\" must be an object with named values")),
    };
    Ok(Request { id, method: method.into(), params })
}

pub fn answer(id: &Value, outcome: Result<Value, Fault>) -> String {
    let answer = match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(fault) => json!({"jsonrpc": "2.0", "id": id,
                             "error": {"code": fault.code, "message": fault.message}}),
    };
    answer.to_string()
}

/// A notification whose parameters are JSON already.
pub fn notification(method: &str, params: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{params}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_request_gets_its_own_code_and_keeps_its_id() {
        let cases = [
            ("{", -32_700, Value::Null),
            ("[]", -32_600, Value::Null),
            (r#"{"id":7}"#, -32_600, json!(7)),
            (r#"{"id":{},"method":"status"}"#, -32_600, Value::Null),
            (r#"{"jsonrpc":"1.0","id":"a","method":"status"}"#, -32_600, json!("a")),
            (r#"{"id":1,"method":"status","params":[1]}"#, -32_600, json!(1)),
        ];
        for (line, code, id) in cases {
            let (seen, fault) = read(line.as_bytes()).unwrap_err();
            assert_eq!((seen, fault.code), (id, code), "{line}");
        }
        let request = read(br#"{"method":"status"}"#).unwrap();
        assert_eq!((request.id, request.params), (None, json!({})));
    }
}
