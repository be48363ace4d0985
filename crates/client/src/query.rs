//! AWS's query protocol: a form goes out, XML comes back and is read into JSON.

use anyhow::Context;
use percent_encoding::utf8_percent_encode;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use crate::{Client, ESCAPED, Refused, Request};

/// A form: names and values, such as `Tags.member.1.Key` and `team`.
pub type Form = Vec<(String, String)>;

impl Client {
    /// Sends a form to a service that speaks the query protocol. Returns what is in its result: lists as arrays, all else as texts.
    ///
    /// # Errors
    /// A [`Refused`] with what the server says against it, or that none answers.
    pub async fn query(&self, service: &str, version: &str, action: &str, form: &Form) -> anyhow::Result<Value> {
        let own = [("Action", action), ("Version", version)];
        let given = form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        let pairs = own.into_iter().chain(given).map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let body = pairs.collect::<Vec<_>>().join("&").into_bytes();
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let answer = self.exchange(service, Request { method: "POST", path: "/", headers: &headers, body }).await?;
        let text = String::from_utf8(answer.body).context("the answer is not UTF-8")?;
        let document = read(&text).with_context(|| format!("the answer is no XML (status {})", answer.status))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        if answer.status >= 300 {
            let error = &document["ErrorResponse"]["Error"];
            return Err(Refused { code: text(&error["Code"]), message: text(&error["Message"]) }.into());
        }
        Ok(document[format!("{action}Response")][format!("{action}Result")].clone())
    }
}

/// Reads XML: an element is the texts in it, or its members by name, or a list if they are all called `member`.
fn read(text: &str) -> anyhow::Result<Value> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<(String, Element)> = vec![(String::new(), Element::default())];
    loop {
        let top = &mut open.last_mut().context("more is closed than was opened")?.1;
        match reader.read_event()? {
            Event::Start(start) => {
                open.push((start.local_name().as_ref().to_string(), Element::default()));
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_string();
                top.members.push((name, Value::String(String::new())));
            }
            Event::Text(text) => top.text += &text,
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref()? {
                    Some(character) => character.to_string(),
                    None => {
                        let known = quick_xml::escape::resolve_predefined_entity(&reference);
                        known.with_context(|| format!("the entity `{}` is unknown", &*reference))?.to_string()
                    }
                };
                top.text += &character;
            }
            Event::End(_) => {
                let (name, element) = open.pop().expect("there is one, see above");
                let parent = open.last_mut().context("more is closed than was opened")?;
                parent.1.members.push((name, element.value()));
            }
            Event::Eof => break,
            Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    let (_, root) = open.pop().context("more is closed than was opened")?;
    anyhow::ensure!(open.is_empty() && !root.members.is_empty(), "it breaks off");
    Ok(root.value())
}

#[derive(Default)]
struct Element {
    text: String,
    members: Vec<(String, Value)>,
}

impl Element {
    fn value(self) -> Value {
        if self.members.is_empty() {
            self.text.into()
        } else if self.members.iter().all(|(name, _)| name == "member") {
            self.members.into_iter().map(|(_, value)| value).collect()
        } else {
            Value::Object(self.members.into_iter().collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn xml_is_read_into_json() {
        let check = |text: &str, expected: Option<Value>| assert_eq!(read(text).ok(), expected, "{text}");
        check(
            "<A xmlns='x'><B>1</B><C><member>x</member><member/></C><D></D></A>",
            Some(json!({"A": {"B": "1", "C": ["x", ""], "D": ""}})),
        );
        check("<?xml version='1.0'?><A>a &lt;b&gt; &#x41;&amp;</A>", Some(json!({"A": "a <b> A&"})));
        check("<A><B></A>", None);
        check("<A>", None);
        check("</A>", None);
        check("no", None);
        check("<A>&nbsp;</A>", None);
    }
}
