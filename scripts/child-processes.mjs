// Every script here starts its programs with these functions. They are in a package that has to hold all it needs; nothing has to be
// installed for them.
export * from '../packages/tfjs-torch/setup/child-processes.mjs';
