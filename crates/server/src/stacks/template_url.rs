//! Where a `TemplateURL` leads: to a bucket of this server, or nowhere.
//!
//! Nothing is fetched from other addresses on anybody's behalf.

use percent_encoding::percent_decode_str;

/// Returns bucket and key of a URL. `host` is what the sender of the request calls this server.
pub fn locate(url: &str, host: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_once('/')?;
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let whole = |bucket: &str, key: &str| {
        (!bucket.is_empty() && !key.is_empty()).then(|| (bucket.to_string(), key.to_string()))
    };
    if authority == host || is_s3(authority) {
        let (bucket, key) = path.split_once('/')?;
        return whole(bucket, key);
    }
    let (bucket, domain) = match authority.strip_suffix(host).and_then(|bucket| bucket.strip_suffix('.')) {
        Some(bucket) => (bucket, host),
        None => authority.split_once(".s3").map(|(bucket, _)| (bucket, &authority[bucket.len() + 1..]))?,
    };
    if domain == host || is_s3(domain) { whole(bucket, &path) } else { None }
}

/// Tells whether this is how AWS's S3 is called: tools that know no other address write so, and mean this server.
fn is_s3(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    match labels.as_slice() {
        ["s3", "amazonaws", "com"] => true,
        ["s3", _, "amazonaws", "com"] => true,
        [first, "amazonaws", "com"] => first.starts_with("s3-"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<(&str, &str)>) {
        let found = locate(url, "127.0.0.1:9000");
        let found = found.as_ref().map(|(bucket, key)| (bucket.as_str(), key.as_str()));
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn buckets_of_this_server_are_found() {
        check("http://127.0.0.1:9000/b/a/k.template", Some(("b", "a/k.template")));
        check("http://127.0.0.1:9000/b/a%20k?versionId=1", Some(("b", "a k")));
        check("http://b.127.0.0.1:9000/k", Some(("b", "k")));
        check("https://s3.amazonaws.com/b/k", Some(("b", "k")));
        check("https://s3.us-east-1.amazonaws.com/b/k", Some(("b", "k")));
        check("https://s3-us-east-1.amazonaws.com/b/k", Some(("b", "k")));
        check("https://b.s3.us-east-1.amazonaws.com/a/k", Some(("b", "a/k")));
        check("https://b.c.s3.amazonaws.com/k", Some(("b.c", "k")));
    }

    #[test]
    fn other_addresses_lead_nowhere() {
        for url in [
            "http://127.0.0.1:9001/b/k",
            "http://example.com/b/k",
            "http://b.s3.example.com/k",
            "http://s3.example.com/b/k",
            "http://x127.0.0.1:9000/k",
            "file:///etc/passwd",
            "http://127.0.0.1:9000/b",
            "http://127.0.0.1:9000//k",
            "ftp://127.0.0.1:9000/b/k",
            "http://127.0.0.1:9000@example.com/b/k",
            "nonsense",
        ] {
            check(url, None);
        }
    }
}
