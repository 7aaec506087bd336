/* certificates.h - where this machine keeps the certificates it trusts. */
#pragma once

/* The path of the bundle (SSL_CERT_FILE, else the usual places); NULL: there is none. */
const char *certificates_bundle(void);
