//! Single JSON-RPC 2.0 messages (<https://www.jsonrpc.org/specification>).

use serde_json::{Value, json};

use crate::failure::Failure;

/// Most requests in one batch.
pub const MAX_BATCH: usize = 100;

/// Invalid JSON was received.
pub const PARSE_ERROR: i32 = -32700;
/// The JSON is no request.
pub const INVALID_REQUEST: i32 = -32600;
/// There is no such method.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters don't fit the method.
pub const INVALID_PARAMS: i32 = -32602;
/// The app failed to do it; `data.code` says why.
pub const APPLICATION_ERROR: i32 = -32000;

/// A well-formed request.
#[derive(Debug)]
pub struct Request {
    /// What the answer will carry; `None` for a notification, which gets no answer.
    pub id: Option<Value>,
    /// Which method.
    pub method: String,
    /// By-name parameters; `Null` when absent.
    pub params: Value,
}

/// What one line held.
#[derive(Debug)]
pub enum Incoming {
    /// One request, or the answer to something that is none.
    Single(Result<Request, Value>),
    /// A batch; its answers go into one array.
    Batch(Vec<Result<Request, Value>>),
}

/// Parses one line. Whatever is in it, the outcome is a request or an error to answer with.
#[must_use]
pub fn parse(line: &[u8]) -> Incoming {
    match serde_json::from_slice::<Value>(line) {
        Err(_) => Incoming::Single(Err(protocol_error(
            PARSE_ERROR,
            "rpc.parse_error",
            "That is no valid JSON.",
            Value::Null,
        ))),
        Ok(Value::Array(items)) if items.is_empty() => Incoming::Single(Err(protocol_error(
            INVALID_REQUEST,
            "rpc.invalid_request",
            "A batch can't be empty.",
            Value::Null,
        ))),
        Ok(Value::Array(items)) if items.len() > MAX_BATCH => {
            Incoming::Single(Err(protocol_error(
                INVALID_REQUEST,
                "rpc.batch_too_large",
                "A batch holds at most 100 requests.",
                Value::Null,
            )))
        }
        Ok(Value::Array(items)) => Incoming::Batch(items.into_iter().map(request).collect()),
        Ok(single) => Incoming::Single(request(single)),
    }
}

fn request(value: Value) -> Result<Request, Value> {
    let Value::Object(mut fields) = value else {
        return Err(invalid("A request is a JSON object.", Value::Null));
    };
    let id = fields.remove("id");
    if !matches!(
        id,
        None | Some(Value::Null | Value::String(_) | Value::Number(_))
    ) {
        return Err(invalid("An id is a string or a number.", Value::Null));
    }
    let answer_to = id.clone().unwrap_or(Value::Null);
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("`jsonrpc` must be \"2.0\".", answer_to));
    }
    let Some(Value::String(method)) = fields.remove("method") else {
        return Err(invalid("`method` must be a string.", answer_to));
    };
    match fields.remove("params").unwrap_or(Value::Null) {
        params @ (Value::Null | Value::Object(_)) => Ok(Request { id, method, params }),
        _ => Err(protocol_error(
            INVALID_PARAMS,
            "rpc.invalid_params",
            "Parameters are given by name, in an object.",
            answer_to,
        )),
    }
}

fn invalid(sentence: &str, id: Value) -> Value {
    protocol_error(INVALID_REQUEST, "rpc.invalid_request", sentence, id)
}

/// An answer that says that something was no proper request.
#[must_use]
pub fn protocol_error(number: i32, code: &str, sentence: &str, id: Value) -> Value {
    error(number, &Failure::new(code, sentence), id)
}

/// An answer that says that a request failed.
#[must_use]
pub fn failure(failure: &Failure, id: Value) -> Value {
    let number = match failure.code.as_str() {
        "rpc.unknown_method" => METHOD_NOT_FOUND,
        "rpc.invalid_params" => INVALID_PARAMS,
        _ => APPLICATION_ERROR,
    };
    error(number, failure, id)
}

fn error(number: i32, failure: &Failure, id: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": number, "message": failure.sentence, "data": failure.to_json()}})
}

/// The answer to a request that succeeded.
#[must_use]
pub fn success(result: Value, id: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

/// A notification to the other end.
#[must_use]
pub fn notification(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// One line of the wire, break included.
#[must_use]
pub fn line(message: &Value) -> Vec<u8> {
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> (i64, Value) {
        match parse(line.as_bytes()) {
            Incoming::Single(Err(answer)) => (
                answer["error"]["code"].as_i64().expect("number"),
                answer["id"].clone(),
            ),
            other => panic!("{line} was taken: {other:?}"),
        }
    }

    #[test]
    fn a_request_has_method_and_named_parameters() {
        let Incoming::Single(Ok(request)) =
            parse(br#"{"jsonrpc":"2.0","id":7,"method":"chats.list","params":{}}"#)
        else {
            panic!("not taken");
        };
        assert_eq!(
            (request.id, request.method.as_str(), request.params),
            (Some(json!(7)), "chats.list", json!({}))
        );
        let Incoming::Single(Ok(request)) = parse(br#"{"jsonrpc":"2.0","method":"chats.list"}"#)
        else {
            panic!("not taken")
        };
        assert_eq!((request.id, request.params), (None, Value::Null));
    }

    #[test]
    fn garbage_is_answered_by_the_book() {
        for garbage in [
            "{",
            "nonsense",
            "\u{0}",
            "{\"jsonrpc\": \"2.0\", \"method\"",
            "\"\\ud800\"",
            &"[".repeat(100_000),
        ] {
            assert_eq!(refused(garbage), (-32700, Value::Null));
        }
        for no_request in [
            "1",
            "null",
            "\"x\"",
            "{}",
            "[]",
            r#"{"jsonrpc":"1.0","method":"x"}"#,
            r#"{"jsonrpc":"2.0","method":1}"#,
        ] {
            assert_eq!(refused(no_request), (-32600, Value::Null), "{no_request}");
        }
        assert_eq!(
            refused(r#"{"jsonrpc":"2.0","id":{"a":1},"method":"x"}"#),
            (-32600, Value::Null)
        );
        assert_eq!(
            refused(r#"{"jsonrpc":"2.0","id":"a","method":1}"#),
            (-32600, json!("a"))
        );
        assert_eq!(
            refused(r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}"#),
            (-32602, json!(1))
        );
    }

    #[test]
    fn a_batch_keeps_its_bad_members_apart() {
        let Incoming::Batch(members) = parse(br#"[1,{"jsonrpc":"2.0","id":1,"method":"a"},[]]"#)
        else {
            panic!("no batch")
        };
        assert_eq!(
            members.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [false, true, false]
        );
        let huge = format!("[{}]", vec!["1"; MAX_BATCH + 1].join(","));
        assert_eq!(refused(&huge), (-32600, Value::Null));
    }

    #[test]
    fn an_error_carries_a_stable_code() {
        let answer = failure(
            &Failure::new("chat.unknown", "There is no such chat."),
            json!(3),
        );
        assert_eq!(answer["error"]["code"], -32000);
        assert_eq!(answer["error"]["data"]["code"], "chat.unknown");
        assert_eq!(answer["error"]["data"]["class"], "never");
        assert_eq!(answer["id"], 3);
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line: Vec<u8>) {
            let _ = parse(&line);
        }
    }
}
