/* SIGINT and SIGTERM ask for an orderly end; a second one ends at once. */
#ifndef MDF_APPS_SIGNALS_H
#define MDF_APPS_SIGNALS_H

#include <signal.h>

/* Installs the handlers and returns the flag: not 0 once a signal has come. SIGPIPE is ignored, so
 * that a closed pipe is a write error. */
const volatile sig_atomic_t *app_signals_install(void);

#endif
