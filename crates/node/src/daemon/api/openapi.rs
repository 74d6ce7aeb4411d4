//! The description of the API for programs (OpenAPI 3.1).

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

const DESCRIPTION: &str = include_str!("openapi.json");

/// The description.
pub(super) async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}

#[cfg(test)]
mod unit {
    use super::super::routes;
    use super::DESCRIPTION;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn described() -> Value {
        serde_json::from_str(DESCRIPTION).unwrap()
    }

    #[test]
    fn every_path_is_described_and_every_description_is_a_path() {
        let name = |method: &str, path: &str| format!("{} {path}", method.to_ascii_uppercase());
        let routes: BTreeSet<_> = routes::table()
            .iter()
            // The rest of a path is an ordinary part in the description.
            .map(|route| name(route.method.as_str(), &route.path.replace("{*", "{")))
            .collect();
        let description = described();
        let paths = description["paths"].as_object().unwrap();
        let told: BTreeSet<_> = paths
            .iter()
            .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(|method| name(method, path)))
            .collect();
        assert_eq!(routes, told);
    }

    #[test]
    fn the_guide_names_every_endpoint() {
        let guide = include_str!("../../../../../docs/api.md");
        for (path, methods) in described()["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                let endpoint = format!("`{} {path}`", method.to_ascii_uppercase());
                assert!(guide.contains(&endpoint), "{endpoint}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        fn visit(value: &Value, root: &Value, names: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(to)) = fields.get("$ref") {
                        let found = root.pointer(to.strip_prefix('#').unwrap());
                        assert!(found.is_some(), "{to} leads nowhere");
                    }
                    if let Some(Value::String(name)) = fields.get("operationId") {
                        names.push(name.clone());
                    }
                    fields.values().for_each(|value| visit(value, root, names));
                }
                Value::Array(values) => values.iter().for_each(|value| visit(value, root, names)),
                _ => {}
            }
        }
        let (description, mut names) = (described(), Vec::new());
        visit(&description, &description, &mut names);
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        assert_eq!(names.len(), routes::table().len());
    }
}
