import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatTable } from '../terminal/table.js';
import { collect, jsonOption, printJson, wholeNumber } from './arguments.js';

interface CertificatesOptions {
  out: string;
  days: number;
  host: string[];
  renew: boolean;
  json?: true;
}

/** Names under which servers on this machine are reached. */
const localHosts = ['localhost', '127.0.0.1'];

/** `fourfold certificates`. */
export function registerCertificates(program: Command): void {
  program
    .command('certificates')
    .summary('make an authority, and a certificate for each role')
    .description(
      'Make a certificate authority in a folder, and a certificate and key signed by it for each role, for a whole run ' +
        'on one machine (local), and for nats-server and MinIO. An existing authority is used, and only missing ' +
        'files are made; nothing is overwritten, except with --renew.',
    )
    .requiredOption('--out <dir>', 'folder of the certificates and keys')
    .option(
      '--days <n>',
      'days for which the certificates are valid; the authority is valid for ten years',
      wholeNumber(1),
      365,
    )
    .option(
      '--host <name>',
      `name or IP address at which nats-server and MinIO are reached; may be repeated (default: ${localHosts.join(', ')})`,
      collect,
      [],
    )
    .option('--renew', 'make all certificates and keys again, with the same authority and for the same hosts', false)
    .addOption(jsonOption())
    .action(async ({ out, days, host, renew, json }: CertificatesOptions) => {
      const { hostsIn, makeCertificates } = await import('@fourfold/rpc/certificates');
      const folder = resolve(out);
      const before = renew ? await hostsIn(folder) : undefined;
      const hosts = host.length > 0 ? host : (before ?? localHosts);
      const report = await makeCertificates(folder, { days, hosts, renew });
      if (json) return printJson(report);
      const rows = Object.entries({ ca: report.authority, ...report.certificates }).map(([name, files]) => [
        name,
        report.made.includes(name) ? 'made' : 'kept',
        files.certificate,
        files.key,
      ]);
      console.log(formatTable(rows, ['left', 'left', 'left', 'left']));
    });
}
