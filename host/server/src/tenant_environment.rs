//! The variables and folders of a tenant's actions.

use std::ffi::OsString;

use kael_engine::environment::Environment;

use crate::private_files::VARIABLE as PRIVATE_FILES;
use crate::tenant_settings::TenantSettings;

/// What the tenant's actions may be given: its own variables and data folder, and the few that every
/// program needs.
pub(crate) fn environment(
    settings: &TenantSettings,
    server: &Environment,
    data: &std::path::Path,
) -> Environment {
    let own = settings
        .env
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let usual = ["PATH", "LANG", "TZ"].into_iter().filter_map(|name| {
        let value = server.get(name)?;
        Some((OsString::from(name), value.to_owned()))
    });
    // The configuration is the server's, so that it is hidden from actions with the data.
    let config = server.config_folder();
    let config = config.parent().unwrap_or(&config);
    let places = [
        ("KAEL_DATA", data),
        ("HOME", data),
        ("XDG_CONFIG_HOME", config),
    ];
    let places = places.map(|(name, path)| (OsString::from(name), path.as_os_str().to_owned()));
    // Where they are, the list of the tenant's secrets is hidden.
    let list = settings.secrets.as_ref();
    let list = list.map(|path| (OsString::from(kael_secrets::LIST), path.clone().into()));
    let files = server.get(PRIVATE_FILES);
    let files = files.map(|files| (OsString::from(PRIVATE_FILES), files.to_owned()));
    // What is the server's, and not the tenant's, no grant gives to a script.
    let is_own = |name: &OsString| {
        let own = name.to_str().and_then(|name| settings.env.get(name));
        own.is_some_and(|value| !value.is_empty())
    };
    let servers = ["PATH", "LANG", "TZ"].map(OsString::from);
    let servers = servers.into_iter().filter(|name| !is_own(name));
    let servers = servers.chain(
        [
            "KAEL_DATA",
            "HOME",
            "XDG_CONFIG_HOME",
            kael_secrets::LIST,
            PRIVATE_FILES,
        ]
        .map(OsString::from),
    );
    // Later ones win: a tenant may set its own PATH, but not where its data is.
    let all = usual.chain(own).chain(places).chain(list).chain(files);
    Environment::new(all).keeping(servers)
}
