//! AWS's event stream: messages in a body that goes on while they are made.
//!
//! Source: Smithy, `application/vnd.amazon.eventstream`; the frames are written by AWS's own crate.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;

/// The `Content-Type` of an event stream.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Writes the message of an event.
pub fn event(name: &'static str, content_type: &'static str, payload: Bytes) -> Bytes {
    let header = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(payload)
        .add_header(header(":event-type", name))
        .add_header(header(":content-type", content_type))
        .add_header(header(":message-type", "event"));
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame).expect("a message of a bounded size can be written");
    frame.into()
}
