// Makes a certificate, and the flag that makes Chromium accept it, also for TURN.
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { temporaryDirectory } from './cleanup.mjs';

const flagName = '--ignore-certificate-errors-spki-list=';

// One flag for several certificates: Chromium takes the last such flag only.
export const flagForAll = (...certificates) => flagName + certificates.map(({ flag }) => flag.slice(flagName.length)).join();

// For addresses and host names.
export function makeCertificate(...names) {
  const folder = temporaryDirectory('certificate').path;
  const [certificate, privateKey] = ['certificate.pem', 'key.pem'].map(name => join(folder, name));
  execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-subj', '/CN=turnpike test', '-addext', `subjectAltName=${names.map(name => `${isIP(name) ? 'IP' : 'DNS'}:${name}`)}`,
    '-keyout', privateKey, '-out', certificate], { stdio: 'pipe' });
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  const key = publicKey.export({ type: 'spki', format: 'der' });
  const hash = createHash('sha256').update(key).digest('base64');
  return { certificate, privateKey, flag: flagName + hash };
}
