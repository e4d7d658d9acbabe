/** Gives the sources' module its name. */
export { default } from 'motemq/targets/moddable/mqtt-client';
