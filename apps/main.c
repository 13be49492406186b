/* mdf: finds the command, parses its flags, runs it, turns its status into an exit code. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/status.h"
#include "engine/engine.h"
#include "signals.h"

/* The command whose name's words are the first arguments; *used = how many words. */
static const app_command *find_command(int argc, char **argv, int *used)
{
    size_t count = 0;
    const app_command *const *commands = app_commands(&count);
    for (size_t i = 0; i < count; i++) {
        const char *name = commands[i]->name;
        const size_t first = strcspn(name, " ");
        if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0) {
            continue;
        }
        *used = name[first] == '\0' ? 1 : 2;
        if (*used == 1 || (argc >= 2 && strcmp(argv[1], name + first + 1) == 0)) {
            return commands[i];
        }
    }
    return NULL;
}

/* Is word the first of a two-word name? */
static bool is_group(const char *word)
{
    size_t count = 0;
    const app_command *const *commands = app_commands(&count);
    const size_t n = strlen(word);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(commands[i]->name, word, n) == 0 && commands[i]->name[n] == ' ') {
            return true;
        }
    }
    return false;
}

/* Prints a made text; the exit code. */
static int print_text(mdf_strbuf *text)
{
    const bool ok =
        !text->failed && text->len > 0 && fputs(text->data, stdout) != EOF && fflush(stdout) == 0;
    mdf_strbuf_free(text);
    if (!ok) {
        (void)fputs("mdf: cannot write to standard output\n", stderr);
    }
    return ok ? APP_OK : APP_FAILED;
}

static int print_group(const char *word)
{
    size_t count = 0;
    const app_command *const *commands = app_commands(&count);
    mdf_strbuf out = mdf_strbuf_new((size_t)1 << 20);
    const size_t n = strlen(word);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(commands[i]->name, word, n) == 0 && commands[i]->name[n] == ' ') {
            mdf_strbuf_puts(&out, out.len > 0 ? "\n" : "");
            app_help(&out, commands[i]);
        }
    }
    return print_text(&out);
}

/* One sentence on what was typed instead of a command. */
static int unknown_command(int argc, char **argv)
{
    const char *names[APP_MAX_COMMANDS];
    char typed[64];
    size_t count = 0;
    const app_command *const *commands = app_commands(&count);
    const bool group = is_group(argv[0]);
    if (group && argc < 2) {
        (void)fprintf(stderr, "mdf %s: say which command; 'mdf help %s' lists them\n", argv[0],
                      argv[0]);
        return APP_USAGE;
    }
    (void)snprintf(typed, sizeof typed, group ? "%s %s" : "%s", argv[0], group ? argv[1] : "");
    for (size_t i = 0; i < count; i++) {
        names[i] = commands[i]->name;
    }
    const int near = arg_nearest(typed, names, count);
    if (near >= 0) {
        (void)fprintf(stderr, "mdf: unknown command '%s', did you mean '%s'?\n", typed,
                      names[near]);
    } else {
        (void)fprintf(stderr, "mdf: unknown command '%s'; 'mdf help' lists them\n", typed);
    }
    return APP_USAGE;
}

static int help_for(int argc, char **argv, void (*write)(mdf_strbuf *, const app_command *))
{
    int used = 0;
    const app_command *c = find_command(argc, argv, &used);
    if (c == NULL && argc == 1 && is_group(argv[0])) {
        return print_group(argv[0]);
    }
    if (c == NULL && argc > 0) {
        return unknown_command(argc, argv);
    }
    mdf_strbuf out = mdf_strbuf_new((size_t)1 << 20);
    write(&out, c);
    return print_text(&out);
}

static int list_commands(void)
{
    size_t count = 0;
    const app_command *const *commands = app_commands(&count);
    mdf_strbuf out = mdf_strbuf_new((size_t)1 << 16);
    for (size_t i = 0; i < count; i++) {
        mdf_strbuf_printf(&out, "%s\n", commands[i]->name);
    }
    return print_text(&out);
}

/* mdf help [COMMAND]; the build makes the man pages with --commands and --man [COMMAND]. */
static int help(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "--commands") == 0) {
        return list_commands();
    }
    if (argc >= 1 && strcmp(argv[0], "--man") == 0) {
        return help_for(argc - 1, argv + 1, app_man);
    }
    return help_for(argc, argv, app_help);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

/* Runs a command with parsed flags; the exit code. */
static int run(const app_command *c, app *a, const void *flags, mdf_error *err)
{
    mdf_set_threads((int)a->threads);
    a->stop = app_signals_install();
    mdf_status status = c->run(a, flags, err);
    if (status == MDF_OK && fflush(stdout) != 0) {
        status = mdf_fail(err, MDF_ERR_IO, "cannot write to standard output");
    }
    if (status == MDF_OK) {
        return APP_OK;
    }
    const char *text = err->text[0] != '\0' ? err->text : mdf_status_text(status);
    (void)fprintf(stderr, "mdf %s: %s\n", c->name, text);
    return a->wrong_usage ? APP_USAGE : APP_FAILED;
}

static int parse_and_run(const app_command *c, int argc, char **argv)
{
    _Alignas(max_align_t) char flags[APP_MAX_FLAGS];
    char program[64];
    app a;
    mdf_error err = {0};
    const arg_spec spec = app_spec(c, program);
    int code = APP_USAGE;
    const mdf_status status =
        arg_parse(&spec, argc, argv, flags, c->flags_bytes, &a, sizeof a, &a.operands, &err);
    if (status == MDF_OK) {
        code = run(c, &a, flags, &err);
    } else {
        (void)fprintf(stderr, "%s: %s\n", program, err.text);
        code = status == MDF_ERR_ARG ? APP_USAGE : APP_FAILED;
    }
    arg_release(&spec, flags, &a, &a.operands);
    return code;
}

int main(int argc, char **argv)
{
    int used = 0;
    if (argc < 2) {
        (void)fputs("mdf: say which command; 'mdf help' lists them\n", stderr);
        return APP_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("mdf " MDF_VERSION);
        return fflush(stdout) == 0 ? APP_OK : APP_FAILED;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return help(argc - 2, argv + 2);
    }
    const app_command *c = find_command(argc - 1, argv + 1, &used);
    if (c == NULL && asks_for_help(argc - 1, argv + 1)) {
        return help_for(1, argv + 1, app_help);
    }
    if (c == NULL) {
        return unknown_command(argc - 1, argv + 1);
    }
    if (asks_for_help(argc - 1 - used, argv + 1 + used)) {
        return help_for(used, argv + 1, app_help);
    }
    return parse_and_run(c, argc - 1 - used, argv + 1 + used);
}
