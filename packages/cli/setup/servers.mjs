// The servers of `fourfold cluster`, and how each is installed.
import { cacheBin } from '../dist/servers/find-program.js';
import { fromDebian, fromGo, minutes, seconds } from './installing.mjs';

/** How each program is installed, and how long it takes. */
export const servers = [
  { programs: ['nats-server'], takes: seconds, install: () => fromDebian('nats-server', ['nats-server']) },
  {
    programs: ['prometheus', 'promtool'],
    takes: seconds,
    install: () => fromDebian('prometheus', ['prometheus', 'promtool']),
  },
  { programs: ['minio'], takes: minutes(3, 10), install: () => fromGo('github.com/minio/minio@latest') },
];

export const help = `Looks for nats-server, prometheus, promtool and minio on the PATH and in ${cacheBin()}, and installs missing programs there: nats-server
and Prometheus from their Debian packages (needs apt-get; nothing is installed on the system), MinIO compiled by \`go install\`
(needs Go; takes three to ten minutes on two cores; GOFLAGS=-p=1 uses fewer cores). If a program cannot be installed, the others
still are, and the exit code is 2. With names of programs, installs only those.`;

/** The sources of the programs with these names, or all without names. */
export function sourcesOf(sources, names) {
  return names.length === 0
    ? sources
    : sources.filter(({ programs }) => programs.some((program) => names.includes(program)));
}
