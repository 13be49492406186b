/* Command-line options as a table. One table gives the parser, the help text and the man page, so
 * that they cannot disagree. Values land in a plain struct of the command, at the given offset:
 *
 *     typedef struct train_flags { const char *config; int64_t epochs; arg_list data; }
 * train_flags; static const arg_option options[] = {
 *         {.name = "config", .letter = 'c', .kind = ARG_STRING, .offset = offsetof(train_flags,
 * config), .metavar = "FILE", .required = true, .help = "settings of the model and the training"},
 *     };
 */
#ifndef MDF_APPS_ARGS_H
#define MDF_APPS_ARGS_H

#include "base/strbuf.h"

typedef enum arg_kind {
    ARG_FLAG,   /* bool */
    ARG_STRING, /* const char *, borrowed from argv; NULL when absent without a default */
    ARG_INT,    /* int64_t */
    ARG_DOUBLE, /* double */
    ARG_LIST    /* arg_list: the option may be repeated */
} arg_kind;

/* Strings borrowed from argv. */
typedef struct arg_list {
    const char **item;
    size_t count;
} arg_list;

typedef struct arg_option {
    const char *name; /* long name without the dashes */
    char letter;      /* short name, 0 = none */
    bool required;
    arg_kind kind;
    size_t offset;        /* of the value in the flags struct */
    size_t given_offset;  /* of a bool there that becomes true when the user gives it; 0 = none */
    const char *metavar;  /* what the value is called, e.g. "FILE"; NULL for ARG_FLAG */
    const char *fallback; /* default, parsed like a value given by the user; NULL = zero */
    double min, max;      /* accepted range of a number; min == max: any */
    const char *help;     /* a phrase without a full stop */
} arg_option;

/* What is left after the options. */
typedef struct arg_operand {
    const char *metavar; /* NULL: the command takes none */
    size_t min, max;
    const char *help;
} arg_operand;

/* One set of tables: a command has its own options and some that all commands share. */
typedef struct arg_spec {
    const char *program;      /* "mdf train", for messages */
    const arg_option *option; /* of the command */
    size_t option_count;
    const arg_option *shared; /* values land in the second struct */
    size_t shared_count;
    arg_operand operand;
} arg_spec;

/* Parses argv[0..argc) (without the command's name). Both structs are zeroed and given their
 * defaults first. *operands gets the rest. Lists are freed by arg_release(). The error is one
 * sentence that names the option, with the nearest one if it is unknown. "-" is an operand, "--"
 * ends the options. */
mdf_status arg_parse(const arg_spec *spec, int argc, char **argv, void *flags, size_t flags_bytes,
                     void *shared, size_t shared_bytes, arg_list *operands,
                     mdf_error *err) MDF_NODISCARD;

void arg_release(const arg_spec *spec, void *flags, void *shared, arg_list *operands);

/* Index of the name nearest to word, or -1 when none is near enough to be worth suggesting. */
int arg_nearest(const char *word, const char *const *names, size_t count);

/* "  -c, --config FILE   settings ..." for each option. */
void arg_help_options(mdf_strbuf *out, const arg_option *option, size_t count);

/* "[--json] --config FILE DIR..." on one line. */
void arg_help_synopsis(mdf_strbuf *out, const arg_spec *spec);

/* The options as a man page's .TP paragraphs. */
void arg_man_options(mdf_strbuf *out, const arg_option *option, size_t count);

/* Text for roff: backslashes, dashes and leading dots are protected. */
void arg_man_text(mdf_strbuf *out, const char *text);

#endif
