/**
 * An installation written down: administrators, users, clients and resource servers from one YAML file, checked whole
 * and applied as often as one likes. The command line does the same, one thing at a time.
 */
export { applyPlan, type ProvisionPorts } from './apply.ts';
export { checkPlan, readPlan } from './check.ts';
export { type Plan, ProvisionFault, planSchema } from './plan.ts';
