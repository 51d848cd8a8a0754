//! What the way to the server is encrypted with, and whom it trusts.

use std::fs;
use std::path::Path;

use native_tls::{Certificate, TlsConnector, TlsConnectorBuilder};
use postgres_native_tls::{MakeTlsConnector, set_postgresql_alpn};

use super::config::PostgresConfig;
use crate::journal::error::JournalError;

/// What makes a connection with TLS, if it is to have it.
pub(super) fn connector(config: &PostgresConfig) -> Result<MakeTlsConnector, JournalError> {
    let mut builder = TlsConnector::builder();
    set_postgresql_alpn(&mut builder);
    if let Some(file) = &config.root_certificates {
        trust(&mut builder, file)?;
    }
    let connector = builder.build();
    let connector = connector.map_err(|error| JournalError::Storage(format!("no TLS: {error}")))?;
    Ok(MakeTlsConnector::new(connector))
}

fn trust(builder: &mut TlsConnectorBuilder, file: &Path) -> Result<(), JournalError> {
    let pem = fs::read(file)
        .map_err(|error| JournalError::Storage(format!("{}: {error}", file.display())))?;
    let certificates = Certificate::stack_from_pem(&pem);
    let certificates = certificates.ok().filter(|found| !found.is_empty()).ok_or_else(|| {
        JournalError::Unusable(format!("{} holds no certificates in PEM", file.display()))
    })?;
    for certificate in certificates {
        builder.add_root_certificate(certificate);
    }
    Ok(())
}
