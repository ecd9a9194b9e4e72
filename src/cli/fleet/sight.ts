/** Whether our token sees everything that runs. Nomad leaves out of its lists what a token may not see. */
import { checkToken } from '../../metrics/index.ts'
import { CaravanError, type Settings } from '../../model/index.ts'
import { createNomadSource } from '../metrics/nomad-source.ts'

/** @throws CaravanError NOMAD_FORBIDDEN when a busy node would look empty; not when that can not be told. */
export async function assertSight(
  { nomad }: Pick<Settings, 'nomad'>,
  signal: AbortSignal,
): Promise<void> {
  const source = createNomadSource({
    address: nomad.address,
    ...(nomad.token === undefined ? {} : { token: nomad.token }),
    ...(nomad.region === undefined ? {} : { region: nomad.region }),
    ...(nomad.ca_cert === undefined ? {} : { ca: nomad.ca_cert }),
    ...(nomad.client_cert === undefined ? {} : { cert: nomad.client_cert }),
    ...(nomad.client_key === undefined ? {} : { key: nomad.client_key }),
    ...(nomad.tls_server_name === undefined ? {} : { serverName: nomad.tls_server_name }),
  })
  try {
    if ((await checkToken(await source.acquire(), 'read-job', signal)) === null) return
  } finally {
    await source.close()
  }
  throw new CaravanError(
    'NOMAD_FORBIDDEN',
    'the token for Nomad may not see the jobs of all namespaces (namespace "*", read-job): a busy node would look empty',
  )
}
