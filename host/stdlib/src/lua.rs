//! The Lua that scripts see, by the names that they use: libraries such as `http`, and modules such as
//! `assay.prometheus`.

/// A module that `require` finds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module {
    /// What scripts require: `assay.prometheus`.
    pub(crate) name: &'static str,
    /// Its text. The comments at its head say what it is.
    pub(crate) source: &'static str,
}

/// The script that runs a file of checks.
pub const CHECKS: &str = include_str!("lua/checks.lua");

/// The libraries, which scripts find as globals.
const LIBRARIES: &[Module] = &[
    Module {
        name: "assert",
        source: include_str!("lua/assert.lua"),
    },
    Module {
        name: "base64",
        source: include_str!("lua/base64.lua"),
    },
    Module {
        name: "crypto",
        source: include_str!("lua/crypto.lua"),
    },
    Module {
        name: "db",
        source: concat!(include_str!("lua/bytes.lua"), include_str!("lua/db.lua")),
    },
    Module {
        name: "env",
        source: include_str!("lua/env.lua"),
    },
    Module {
        name: "fs",
        source: concat!(include_str!("lua/bytes.lua"), include_str!("lua/fs.lua")),
    },
    Module {
        name: "http",
        source: concat!(include_str!("lua/bytes.lua"), include_str!("lua/http.lua")),
    },
    Module {
        name: "log",
        source: include_str!("lua/log.lua"),
    },
    Module {
        name: "regex",
        source: include_str!("lua/regex.lua"),
    },
    Module {
        name: "toml",
        source: include_str!("lua/toml.lua"),
    },
    Module {
        name: "yaml",
        source: include_str!("lua/yaml.lua"),
    },
];

/// The modules, sorted by name.
pub(crate) const MODULES: &[Module] = &[
    Module {
        name: "assay.alertmanager",
        source: include_str!("modules/alertmanager.lua"),
    },
    Module {
        name: "assay.ansi",
        source: include_str!("modules/ansi.lua"),
    },
    Module {
        name: "assay.argocd",
        source: include_str!("modules/argocd.lua"),
    },
    Module {
        name: "assay.certmanager",
        source: include_str!("modules/certmanager.lua"),
    },
    Module {
        name: "assay.client",
        source: include_str!("modules/client.lua"),
    },
    Module {
        name: "assay.crd",
        source: include_str!("modules/crd.lua"),
    },
    Module {
        name: "assay.crossplane",
        source: include_str!("modules/crossplane.lua"),
    },
    Module {
        name: "assay.dex",
        source: include_str!("modules/dex.lua"),
    },
    Module {
        name: "assay.email_triage",
        source: include_str!("modules/email_triage.lua"),
    },
    Module {
        name: "assay.eso",
        source: include_str!("modules/eso.lua"),
    },
    Module {
        name: "assay.flux",
        source: include_str!("modules/flux.lua"),
    },
    Module {
        name: "assay.gcal",
        source: include_str!("modules/gcal.lua"),
    },
    Module {
        name: "assay.github",
        source: include_str!("modules/github.lua"),
    },
    Module {
        name: "assay.gitlab",
        source: include_str!("modules/gitlab.lua"),
    },
    Module {
        name: "assay.gmail",
        source: include_str!("modules/gmail.lua"),
    },
    Module {
        name: "assay.grafana",
        source: include_str!("modules/grafana.lua"),
    },
    Module {
        name: "assay.harbor",
        source: include_str!("modules/harbor.lua"),
    },
    Module {
        name: "assay.hashicorp.vault",
        source: include_str!("modules/hashicorp/vault.lua"),
    },
    Module {
        name: "assay.healthcheck",
        source: include_str!("modules/healthcheck.lua"),
    },
    Module {
        name: "assay.k8s",
        source: include_str!("modules/k8s.lua"),
    },
    Module {
        name: "assay.kargo",
        source: include_str!("modules/kargo.lua"),
    },
    Module {
        name: "assay.loki",
        source: include_str!("modules/loki.lua"),
    },
    Module {
        name: "assay.oauth2",
        source: include_str!("modules/oauth2.lua"),
    },
    Module {
        name: "assay.openbao",
        source: include_str!("modules/openbao.lua"),
    },
    Module {
        name: "assay.openclaw",
        source: include_str!("modules/openclaw.lua"),
    },
    Module {
        name: "assay.ory",
        source: include_str!("modules/ory.lua"),
    },
    Module {
        name: "assay.ory.hydra",
        source: include_str!("modules/ory/hydra.lua"),
    },
    Module {
        name: "assay.ory.keto",
        source: include_str!("modules/ory/keto.lua"),
    },
    Module {
        name: "assay.ory.kratos",
        source: include_str!("modules/ory/kratos.lua"),
    },
    Module {
        name: "assay.ory.rbac",
        source: include_str!("modules/ory/rbac.lua"),
    },
    Module {
        name: "assay.postgres",
        source: include_str!("modules/postgres.lua"),
    },
    Module {
        name: "assay.prometheus",
        source: include_str!("modules/prometheus.lua"),
    },
    Module {
        name: "assay.rauthy",
        source: include_str!("modules/rauthy.lua"),
    },
    Module {
        name: "assay.s3",
        source: include_str!("modules/s3.lua"),
    },
    Module {
        name: "assay.servicenow",
        source: include_str!("modules/servicenow.lua"),
    },
    Module {
        name: "assay.sonarqube",
        source: include_str!("modules/sonarqube.lua"),
    },
    Module {
        name: "assay.tailscale",
        source: include_str!("modules/tailscale.lua"),
    },
    Module {
        name: "assay.temporal",
        source: include_str!("modules/temporal.lua"),
    },
    Module {
        name: "assay.traefik",
        source: include_str!("modules/traefik.lua"),
    },
    Module {
        name: "assay.unleash",
        source: include_str!("modules/unleash.lua"),
    },
    Module {
        name: "assay.url",
        source: include_str!("modules/url.lua"),
    },
    Module {
        name: "assay.vault",
        source: include_str!("modules/vault.lua"),
    },
    Module {
        name: "assay.velero",
        source: include_str!("modules/velero.lua"),
    },
    Module {
        name: "assay.version",
        source: include_str!("modules/version.lua"),
    },
    Module {
        name: "assay.ws",
        source: concat!(
            include_str!("modules/ws.lua"),
            include_str!("lua/bytes.lua"),
            include_str!("lua/ws.lua")
        ),
    },
    Module {
        name: "assay.zitadel",
        source: include_str!("modules/zitadel.lua"),
    },
];

/// The text of a library or a module.
pub(crate) fn source(name: &str) -> Option<&'static str> {
    let mut all = LIBRARIES.iter().chain(MODULES);
    all.find(|module| module.name == name)
        .map(|module| module.source)
}
