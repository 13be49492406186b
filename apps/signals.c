#include "signals.h"

#include <stdint.h>
#include <string.h>

/* A handler can only reach a variable of static storage; everyone else gets a pointer to it. */
static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

/* oneDNN's products use the stack pointer for the arrays that they pack: what the kernel puts below
 * it when a signal comes would land in the heap. So handlers run on a stack of their own. A signal
 * to the process goes to its first thread, which is the one that calls this. */
static void give_handlers_a_stack(void)
{
    static uint8_t stack[65536]; /* AVX-512 and AMX registers take 12 KiB of it */
    stack_t now;
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    if (sigaltstack(NULL, &now) == 0 &&
        (now.ss_flags & SS_DISABLE) != 0) { /* sanitizers have one */
        (void)sigaltstack(&own, NULL);
    }
}

const volatile sig_atomic_t *app_signals_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    (void)sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    give_handlers_a_stack();
    action.sa_flags = (int)SA_RESETHAND | SA_ONSTACK; /* the second one has its default effect */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGXFSZ, &action, NULL); /* a limit of file size: an error, not the end */
    return &stop_signal;
}
