//! The modules of Kubernetes' custom resources, with the real kubectl as the second client of the
//! same server: it makes the paths of its own accord, out of what the server says it has.

use std::process::Command;

use kael_tests::{Need, needs};
use serde_json::{Value, json};

use super::server::{Got, Server, answer};
use super::with_port;

/// Group, version, plural, kind, whether it lies in a namespace, and the method of a module that
/// lists it, as names.
const KINDS: [(&str, &str, &str, &str, bool, &str); 13] = [
    (
        "kargo.akuity.io",
        "v1alpha1",
        "stages",
        "Stage",
        true,
        "kargo().stages:list('ns')",
    ),
    (
        "kargo.akuity.io",
        "v1alpha1",
        "freights",
        "Freight",
        true,
        "kargo().freight:list('ns')",
    ),
    (
        "kargo.akuity.io",
        "v1alpha1",
        "promotions",
        "Promotion",
        true,
        "kargo().promotions:list('ns')",
    ),
    (
        "kargo.akuity.io",
        "v1alpha1",
        "warehouses",
        "Warehouse",
        true,
        "kargo().warehouses:list('ns')",
    ),
    (
        "kargo.akuity.io",
        "v1alpha1",
        "projects",
        "Project",
        false,
        "kargo().projects:list()",
    ),
    (
        "pkg.crossplane.io",
        "v1",
        "providers",
        "Provider",
        false,
        "crossplane().providers:list()",
    ),
    (
        "pkg.crossplane.io",
        "v1",
        "configurations",
        "Configuration",
        false,
        "crossplane().configurations:list()",
    ),
    (
        "apiextensions.crossplane.io",
        "v1",
        "compositions",
        "Composition",
        false,
        "crossplane().compositions:list()",
    ),
    (
        "s3.aws.upbound.io",
        "v1beta1",
        "buckets",
        "Bucket",
        false,
        "crossplane():managed_resources('s3.aws.upbound.io', 'v1beta1', 'buckets')",
    ),
    (
        "source.toolkit.fluxcd.io",
        "v1",
        "gitrepositories",
        "GitRepository",
        true,
        "flux().git_repos:list('ns')",
    ),
    (
        "helm.toolkit.fluxcd.io",
        "v2",
        "helmreleases",
        "HelmRelease",
        true,
        "flux().helm_releases:list('ns')",
    ),
    (
        "cert-manager.io",
        "v1",
        "clusterissuers",
        "ClusterIssuer",
        false,
        "certmanager().cluster_issuers:list()",
    ),
    (
        "external-secrets.io",
        "v1",
        "externalsecrets",
        "ExternalSecret",
        true,
        "eso().external_secrets:list('ns')",
    ),
];

/// Says what the cluster has, and gives one object of each kind. Everything else is not found.
fn cluster(got: &Got) -> Vec<u8> {
    let path = got.target.split('?').next().unwrap_or_default();
    let found = found(path);
    let status = if found.is_some() { 200 } else { 404 };
    let missing =
        || json!({ "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404 });
    let body = found.unwrap_or_else(missing).to_string();
    answer(status, "Content-Type: application/json\r\n", body)
}

fn found(path: &str) -> Option<Value> {
    if path == "/api" {
        return Some(json!({ "kind": "APIVersions", "versions": [] }));
    }
    let mut groups: Vec<(&str, &str)> = KINDS.iter().map(|kind| (kind.0, kind.1)).collect();
    groups.dedup();
    if path == "/apis" {
        let group = |(name, version): &(&str, &str)| {
            let version =
                json!({ "groupVersion": format!("{name}/{version}"), "version": version });
            json!({ "name": name, "versions": [version], "preferredVersion": version })
        };
        let groups: Vec<Value> = groups.iter().map(group).collect();
        return Some(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }));
    }
    for (group, version) in groups {
        let Some(rest) = path.strip_prefix(&format!("/apis/{group}/{version}")) else {
            continue;
        };
        let mut of_group = KINDS.iter().filter(|kind| kind.0 == group);
        if rest.is_empty() {
            let resource = |kind: &(&str, &str, &str, &str, bool, &str)| json!({ "name": kind.2, "singularName": "", "namespaced": kind.4, "kind": kind.3, "verbs": ["get", "list"] });
            let resources: Vec<Value> = of_group.map(resource).collect();
            return Some(
                json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{group}/{version}"), "resources": resources }),
            );
        }
        let kind = of_group.find(|kind| match kind.4 {
            true => rest == format!("/namespaces/ns/{}", kind.2),
            false => rest == format!("/{}", kind.2),
        })?;
        let api = format!("{group}/{version}");
        let metadata =
            json!({ "name": format!("the-{}", kind.2), "namespace": kind.4.then_some("ns") });
        let item = json!({ "apiVersion": api, "kind": kind.3, "metadata": metadata });
        return Some(
            json!({ "apiVersion": api, "kind": format!("{}List", kind.3), "metadata": {}, "items": [item] }),
        );
    }
    None
}

#[test]
fn kubectl_and_the_modules_find_the_same_objects() {
    if !needs(&[Need::Kubectl]) {
        return;
    }
    let server = Server::start(cluster);
    let url = format!("http://127.0.0.1:{}", server.port);
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut script = String::from(
        "local function of(name) return function() return require('assay.' .. name).client(arg[1], 't') end end
         local kargo, crossplane, flux = of('kargo'), of('crossplane'), of('flux')
         local certmanager, eso = of('certmanager'), of('eso')
         local function show(found) for _, one in ipairs(found.items or found) do print(one.metadata.name) end end\n",
    );
    let mut wanted = String::new();
    for (group, version, plural, _, _, call) in KINDS {
        let resource = format!("{plural}.{version}.{group}");
        let output = Command::new("kubectl")
            .args(["--server", &url, "--namespace", "ns", "get", &resource])
            .args(["--output", "jsonpath={.items[*].metadata.name}"])
            .env("HOME", folder.path())
            .env_remove("KUBECONFIG")
            .output()
            .expect("kubectl starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{resource}: {said}");
        wanted += &format!("{}\n", String::from_utf8_lossy(&output.stdout));
        script += &format!("show({call})\n");
    }
    let asked = |got: &Got| got.target.split('?').next().unwrap_or_default().to_owned();
    let is_list = |path: &String| {
        path.contains("/apis/") && found(path).is_some_and(|found| found["items"].is_array())
    };
    let by_kubectl: std::collections::BTreeSet<String> =
        server.got().iter().map(asked).filter(is_list).collect();
    assert_eq!(by_kubectl.len(), KINDS.len());
    let before = server.got().len();
    let ran = with_port(server.port)
        .file("script.lua", script)
        .words(&["script.lua", &url])
        .ends();
    ran.prints(&wanted);
    // The very paths that kubectl has asked for, and no other.
    let by_modules: std::collections::BTreeSet<String> =
        server.got().iter().skip(before).map(asked).collect();
    assert_eq!(by_modules, by_kubectl);
}
