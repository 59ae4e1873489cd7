//! Formats of events that others write: each comes with a schema, and lines that are not JSON are
//! made JSON.

mod auditd;
mod sysmon_xml;

use std::borrow::Cow;

/// A format of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line of XML for each event of Sysmon, as `wevtutil` exports them.
    SysmonXml,
    /// Lines of the Linux audit daemon.
    Auditd,
    /// Audit events of Kubernetes.
    K8sAudit,
    /// Records of AWS CloudTrail.
    CloudTrail,
    /// Events in Elastic's common schema.
    Ecs,
}

impl Format {
    /// All, by the names that the command line has.
    pub const ALL: [(&'static str, Self); 5] = [
        ("sysmon-xml", Self::SysmonXml),
        ("auditd", Self::Auditd),
        ("k8s-audit", Self::K8sAudit),
        ("cloudtrail", Self::CloudTrail),
        ("ecs", Self::Ecs),
    ];

    /// The format of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, format)| *format)
    }

    /// The schema that comes with it.
    #[must_use]
    pub fn schema(self) -> &'static str {
        match self {
            Self::SysmonXml => include_str!("../../schemas/sysmon.json"),
            Self::Auditd => include_str!("../../schemas/auditd.json"),
            Self::K8sAudit => include_str!("../../schemas/k8s-audit.json"),
            Self::CloudTrail => include_str!("../../schemas/cloudtrail.json"),
            Self::Ecs => include_str!("../../schemas/ecs.json"),
        }
    }

    /// A line as JSON. What is not of the format stays as it is, and is then no event.
    #[must_use]
    pub fn json(self, line: &[u8]) -> Cow<'_, [u8]> {
        let text = std::str::from_utf8(line).ok();
        let made = match self {
            Self::SysmonXml => text.and_then(sysmon_xml::json),
            Self::Auditd => text.and_then(auditd::json),
            Self::K8sAudit | Self::CloudTrail | Self::Ecs => None,
        };
        match made {
            Some(value) => Cow::Owned(value.to_string().into_bytes()),
            None => Cow::Borrowed(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn the_schemas_are_sound() {
        for (name, format) in Format::ALL {
            let mut out = Vec::new();
            let schema = Schema::read(name, format.schema().as_bytes(), &mut out);
            assert!(schema.is_some() && out.is_empty(), "{name}: {out:?}");
        }
    }
}
