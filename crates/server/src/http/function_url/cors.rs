//! Cross-origin requests to function URLs: what browsers ask first, and what every answer says.

use everstep_api::function_url::Cors;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Tells whether a browser asks what it may do. The function is not asked.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns the headers that answer what a browser asks; none if the web site may do nothing.
pub fn preflight(cors: &Cors, asked: &HeaderMap) -> HeaderMap {
    let mut headers = origin(cors, asked);
    if headers.is_empty() {
        return headers;
    }
    let mut add = |name: HeaderName, items: &Option<Vec<String>>, asked_for: HeaderName| {
        let items = items.as_deref().unwrap_or_default();
        // With credentials a star would be taken literally, so what was asked for is said instead.
        let echoed = (cors.allow_credentials == Some(true) && items.iter().any(|item| item == "*"))
            .then(|| asked.get(asked_for).cloned())
            .flatten();
        if let Some(value) = echoed.or_else(|| list(items)) {
            headers.insert(name, value);
        }
    };
    add(ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods, ACCESS_CONTROL_REQUEST_METHOD);
    add(ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers, ACCESS_CONTROL_REQUEST_HEADERS);
    if let Some(seconds) = cors.max_age {
        headers.insert(ACCESS_CONTROL_MAX_AGE, seconds.into());
    }
    headers
}

/// Says in an answer who may read it. What the function says of that itself does not count.
pub fn apply(cors: &Cors, asked: &HeaderMap, answer: &mut HeaderMap) {
    let own: Vec<HeaderName> =
        answer.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in own {
        answer.remove(name);
    }
    let allowed = origin(cors, asked);
    if allowed.is_empty() {
        return;
    }
    answer.extend(allowed);
    if let Some(value) = list(cors.expose_headers.as_deref().unwrap_or_default()) {
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, value);
    }
}

fn origin(cors: &Cors, asked: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(origin) = asked.get(ORIGIN) else { return headers };
    let origins = cors.allow_origins.as_deref().unwrap_or_default();
    let credentials = cors.allow_credentials == Some(true);
    let anyone = origins.iter().any(|allowed| allowed == "*");
    if !anyone && !origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
        return headers;
    }
    if anyone && !credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
    if credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    headers
}

fn list(items: &[String]) -> Option<HeaderValue> {
    if items.is_empty() { None } else { HeaderValue::from_str(&items.join(",")).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn check(cors: &str, asked: &[(&'static str, &'static str)], expected: &[(&'static str, &'static str)]) {
        let cors: Cors = serde_json::from_str(cors).unwrap();
        assert_eq!(preflight(&cors, &map(asked)), map(expected), "{cors:?}");
    }

    const ASKED: &[(&str, &str)] = &[
        ("origin", "https://a.example"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-a,x-b"),
    ];

    #[test]
    fn browsers_are_told_what_they_may_do() {
        check(r#"{"AllowOrigins":["*"]}"#, ASKED, &[("access-control-allow-origin", "*")]);
        check(r#"{"AllowOrigins":["https://b.example"]}"#, ASKED, &[]);
        check(r#"{"AllowMethods":["*"]}"#, ASKED, &[]);
        check(r#"{"AllowOrigins":["*"]}"#, &[], &[]);
        check(
            r#"{"AllowOrigins":["https://a.example"],"AllowMethods":["GET","PUT"],"AllowHeaders":["x-a"],"MaxAge":60}"#,
            ASKED,
            &[
                ("access-control-allow-origin", "https://a.example"),
                ("vary", "Origin"),
                ("access-control-allow-methods", "GET,PUT"),
                ("access-control-allow-headers", "x-a"),
                ("access-control-max-age", "60"),
            ],
        );
        check(
            r#"{"AllowOrigins":["*"],"AllowMethods":["*"],"AllowHeaders":["*"],"AllowCredentials":true}"#,
            ASKED,
            &[
                ("access-control-allow-origin", "https://a.example"),
                ("vary", "Origin"),
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-methods", "PUT"),
                ("access-control-allow-headers", "x-a,x-b"),
            ],
        );
    }

    #[test]
    fn configuration_says_who_may_read_and_the_function_does_not() {
        let cors: Cors =
            serde_json::from_str(r#"{"AllowOrigins":["https://a.example"],"ExposeHeaders":["x-a"]}"#).unwrap();
        let own = &[("access-control-allow-origin", "*"), ("access-control-max-age", "9"), ("x-a", "1")];
        let mut answer = map(own);
        apply(&cors, &map(ASKED), &mut answer);
        let told = [
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-expose-headers", "x-a"),
            ("vary", "Origin"),
            ("x-a", "1"),
        ];
        assert_eq!(answer, map(&told));
        let mut answer = map(own);
        apply(&cors, &map(&[("origin", "https://b.example")]), &mut answer);
        assert_eq!(answer, map(&[("x-a", "1")]));
    }
}
