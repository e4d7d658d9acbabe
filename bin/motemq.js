#!/usr/bin/env node
import '../dist/targets/cli/motemq.js';
