/** The Nomad whose behaviour the engine follows; tools decide by it what they may ask for. */
export const ENGINE_VERSION = '2.0.5'
