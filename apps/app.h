/* What the commands of the `mdf` program share: the command table, common flags, output. stdout is
 * data, stderr is talk; exit codes are 0 (ok), 1 (failed) and 2 (wrong usage). */
#ifndef MDF_APPS_APP_H
#define MDF_APPS_APP_H

#include <jansson.h>
#include <signal.h>

#include "args.h"

enum app_exit { APP_OK = 0, APP_FAILED = 1, APP_USAGE = 2 };

/* The values of the flags that every command takes, and the rest of the command line. */
typedef struct app {
    bool json;       /* --json: the result as JSON on stdout */
    bool quiet;      /* --quiet: no talk on stderr but errors */
    int64_t threads; /* --threads: compute threads, 0 = one per core */
    int64_t seed;    /* --seed */
    bool seed_given; /* the user gave --seed */
    arg_list operands;
    const volatile sig_atomic_t *stop; /* not 0 after SIGINT or SIGTERM: finish soon */
    bool wrong_usage;                  /* set by app_usage() */
} app;

typedef struct app_command {
    const char *name;        /* "train", or two words: "data synth" */
    const char *summary;     /* a phrase without a full stop */
    const char *description; /* paragraphs for help and man page */
    const char *example;     /* command lines, one a line */
    const arg_option *option;
    size_t option_count;
    size_t flags_bytes; /* size of the struct that the options fill, at most APP_MAX_FLAGS */
    arg_operand operand;
    bool own_json; /* the command has a --json FILE of its own */
    mdf_status (*run)(app *a, const void *flags, mdf_error *err);
} app_command;

#define APP_MAX_FLAGS    1024
#define APP_MAX_COMMANDS 32
#define APP_COUNT(array) (sizeof(array) / sizeof *(array))

extern const app_command app_data_synth;
extern const app_command app_data_check;
extern const app_command app_data_split;
extern const app_command app_train;
extern const app_command app_eval;
extern const app_command app_calibrate;
extern const app_command app_adapt;
extern const app_command app_predict;
extern const app_command app_segment;
extern const app_command app_export;
extern const app_command app_graft;
extern const app_command app_import;
extern const app_command app_init;
extern const app_command app_quantize;
extern const app_command app_pull;
extern const app_command app_info;
extern const app_command app_bench;

/* All of them, in the order of the help text. */
const app_command *const *app_commands(size_t *count);

/* The tables for the parser. program must hold 64 bytes and outlive the spec. */
arg_spec app_spec(const app_command *c, char *program);

/* Help texts and man pages; c = NULL is the program itself. */
void app_help(mdf_strbuf *out, const app_command *c);
void app_man(mdf_strbuf *out, const app_command *c);

/* A wrong combination of flags that only the command can see: exit code 2. Returns MDF_ERR_ARG. */
mdf_status app_usage(app *a, mdf_error *err, const char *fmt, ...) MDF_PRINTF(3, 4);

/* One line on stderr unless --quiet. */
void app_say(const app *a, const char *fmt, ...) MDF_PRINTF(2, 3);

/* Prints a result as one JSON document with sorted keys kept in order; takes the reference. NULL
 * (out of memory while building it) is an error. */
mdf_status app_print_json(json_t *doc, mdf_error *err) MDF_NODISCARD;

/* The values of --labels: "a,b,c" given once are three names; of a flag given several times every
 * value is a name, with the commas in it. */
typedef struct app_labels {
    const char *name[MDF_MAX_LABELS];
    size_t count; /* 0: none are given */
    char *copy;   /* of the names */
} app_labels;

mdf_status app_labels_of(app_labels *l, const arg_list *values, mdf_error *err) MDF_NODISCARD;
void app_labels_free(app_labels *l);

/* What --kv-type says. */
mdf_status app_kv_type(app *a, const char *name, mdf_kv_type *out, mdf_error *err) MDF_NODISCARD;

/* A string of the outside (a path) as JSON: bytes that are not UTF-8 become U+FFFD. NULL = no
 * memory.
 */
json_t *app_json_string(const char *s);
json_t *app_json_bytes(const char *s, size_t n); /* the same; NULs in it are text */

/* The path of a file that comes with the program: name as it is when it exists, else below
 * share/mdf of the installation or the source tree ("presets/tiny.json"). Caller frees with
 * mdf_free(). */
mdf_status app_find_file(const char *name, const char *folder, const char *suffix, char **path,
                         mdf_error *err) MDF_NODISCARD;

#endif
