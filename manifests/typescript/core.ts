/** Gives the sources' module its name. */
export * from 'motemq/targets/moddable/core';
