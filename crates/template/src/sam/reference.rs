//! References in a template to what the transform has made, or given a new logical id.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::intrinsic;

/// What references become.
#[derive(Default)]
pub struct References {
    /// New logical ids by the old ones.
    pub renamed: BTreeMap<String, String>,
    /// Logical ids by what stands for them: `Function.Alias`, say.
    pub named: BTreeMap<String, String>,
    /// Resources that stay as they are though SAM would make several of them: `Api.Stage` is just `Api` then.
    pub kept: Vec<String>,
}

impl References {
    /// Changes all references of a template, and `DependsOn`.
    pub fn rewrite(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.rewrite(item)),
            Value::Object(members) => {
                if let Some(ids) = members.get_mut("DependsOn") {
                    self.rename(ids);
                }
                members.values_mut().for_each(|member| self.rewrite(member));
                self.rewrite_intrinsic(value);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn rewrite_intrinsic(&self, value: &mut Value) {
        match intrinsic::name(value) {
            Some("Ref") => {
                if let Some(new) = value["Ref"].as_str().and_then(|text| self.target(text).or_else(|| self.whole(text)))
                {
                    value["Ref"] = new.into();
                }
            }
            Some("Fn::GetAtt") => {
                let path = match &value["Fn::GetAtt"] {
                    Value::String(path) => Some(path.clone()),
                    Value::Array(parts) => {
                        parts.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|parts| parts.join("."))
                    }
                    _ => None,
                };
                if let Some(new) = path.and_then(|path| self.target(&path)) {
                    let (id, attribute) = new.split_once('.').unwrap_or((&new, ""));
                    value["Fn::GetAtt"] = if attribute.is_empty() { json!([id]) } else { json!([id, attribute]) };
                }
            }
            Some("Fn::Sub") => intrinsic::map_text(&mut value["Fn::Sub"], |text| {
                intrinsic::substitute(text, |name| self.target(name).map(|new| format!("${{{new}}}")))
            }),
            _ => {}
        }
    }

    fn rename(&self, ids: &mut Value) {
        match ids {
            Value::String(id) => {
                if let Some(new) = self.renamed.get(id) {
                    id.clone_from(new);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(item)),
            _ => {}
        }
    }

    /// Returns the resource that a reference `Id.Name` is about, if it stays as it is.
    fn whole(&self, reference: &str) -> Option<String> {
        let (id, _) = reference.split_once('.')?;
        self.kept.iter().find(|kept| *kept == id).cloned()
    }

    /// Returns what a reference `Id`, `Id.Name` or `Id.Name.Attribute` becomes, unless it stays.
    fn target(&self, reference: &str) -> Option<String> {
        let (id, rest) = reference.split_once('.').unwrap_or((reference, ""));
        let joined = |id: &str, rest: &str| if rest.is_empty() { id.to_owned() } else { format!("{id}.{rest}") };
        if let Some(new) = self.renamed.get(id) {
            return Some(joined(new, rest));
        }
        let (name, attribute) = rest.split_once('.').unwrap_or((rest, ""));
        if let Some(new) = self.named.get(&format!("{id}.{name}")) {
            return Some(joined(new, attribute));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_rewritten() {
        let references = References {
            renamed: BTreeMap::from([("Layer".to_owned(), "Layer1".to_owned())]),
            named: BTreeMap::from([("F.Alias".to_owned(), "FAliaslive".to_owned())]),
            kept: vec!["Api".to_owned()],
        };
        let check = |mut value: Value, expected: Value| {
            references.rewrite(&mut value);
            assert_eq!(value, expected);
        };
        check(json!({ "Ref": "Layer" }), json!({ "Ref": "Layer1" }));
        check(json!({ "Ref": "F" }), json!({ "Ref": "F" }));
        check(json!({ "Ref": "F.Alias" }), json!({ "Ref": "FAliaslive" }));
        check(json!({ "Ref": "Api.Stage" }), json!({ "Ref": "Api" }));
        check(json!({ "Ref": "F.Other" }), json!({ "Ref": "F.Other" }));
        check(json!({ "Fn::GetAtt": ["F.Alias", "Arn"] }), json!({ "Fn::GetAtt": ["FAliaslive", "Arn"] }));
        check(json!({ "Fn::GetAtt": ["F", "Alias.Arn"] }), json!({ "Fn::GetAtt": ["FAliaslive", "Arn"] }));
        check(json!({ "Fn::GetAtt": "Layer.LayerVersionArn" }), json!({ "Fn::GetAtt": ["Layer1", "LayerVersionArn"] }));
        check(
            json!({ "Fn::Sub": "${F}-${F.Alias}-${!F.Alias}-${F.Alias.X}-${Layer}" }),
            json!({ "Fn::Sub": "${F}-${FAliaslive}-${!F.Alias}-${FAliaslive.X}-${Layer1}" }),
        );
        check(
            json!({ "Fn::Sub": ["${Layer.A} ${", { "x": { "Ref": "F.Alias" } }] }),
            json!({ "Fn::Sub": ["${Layer1.A} ${", { "x": { "Ref": "FAliaslive" } }] }),
        );
        check(
            json!({ "DependsOn": ["Layer", "F"], "x": { "DependsOn": "Layer" } }),
            json!({ "DependsOn": ["Layer1", "F"], "x": { "DependsOn": "Layer1" } }),
        );
        check(
            json!({ "LayerName": "Layer", "Ref": 1, "Fn::GetAtt": [1, 2] }),
            json!({ "LayerName": "Layer", "Ref": 1, "Fn::GetAtt": [1, 2] }),
        );
    }
}
