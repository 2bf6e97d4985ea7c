/** One thing wrong with the configuration. */
export interface Fault {
  /** The variable of the environment, the path in the YAML files, or the file. */
  setting: string;
  problem: string;
  /** What would be right. */
  right: string;
}

/** Stops the start; the message lists every fault for the operator. */
export class ConfigurationFault extends Error {
  override readonly name = 'ConfigurationFault';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const lines = faults.map(({ setting, problem, right }) => `  ${setting} ${problem}\n    right: ${right}`);
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}`);
    this.faults = faults;
  }
}
