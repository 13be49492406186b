/* Help texts and man pages, made from the command table. */
#include <stdio.h>
#include <string.h>

#include "app.h"

static const char about[] =
    "mdf trains, evaluates and explains MDF-MLLM: a classifier of fundus photographs with "
    "clinical\n"
    "text. A U-Net's features enter the cross-attention layers of a vision-language model.";

static const char warning[] =
    "Not a medical device: results are for research and must not guide care.";

static const char exits[] = "0 when all went well, 1 when something failed, 2 for wrong usage.";

static const arg_option shared_options[] = {
    {.name = "threads",
     .letter = 't',
     .kind = ARG_INT,
     .offset = offsetof(app, threads),
     .metavar = "N",
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .help = "compute threads, 0 for one per core"},
    {.name = "seed",
     .letter = 's',
     .kind = ARG_INT,
     .offset = offsetof(app, seed),
     .given_offset = offsetof(app, seed_given),
     .metavar = "N",
     .fallback = "1",
     .min = 0,
     .max = 9007199254740991.0,
     .help = "start of every random choice"},
    {.name = "quiet",
     .letter = 'q',
     .kind = ARG_FLAG,
     .offset = offsetof(app, quiet),
     .help = "say nothing on stderr but errors"},
    {.name = "json", /* the last: commands with a --json FILE of their own leave it out */
     .letter = 'j',
     .kind = ARG_FLAG,
     .offset = offsetof(app, json),
     .help = "print the result as JSON"},
};

arg_spec app_spec(const app_command *c, char *program)
{
    (void)snprintf(program, 64, "mdf %s", c->name);
    return (arg_spec){
        .program = program,
        .option = c->option,
        .option_count = c->option_count,
        .shared = shared_options,
        .shared_count = APP_COUNT(shared_options) - (c->own_json ? 1 : 0),
        .operand = c->operand,
    };
}

static void help_program(mdf_strbuf *out)
{
    size_t count = 0;
    const app_command *const *commands = app_commands(&count);
    mdf_strbuf_printf(out, "usage: mdf COMMAND [OPTION]...\n\n%s\n\ncommands:\n", about);
    for (size_t i = 0; i < count; i++) {
        mdf_strbuf_printf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    mdf_strbuf_printf(out, "  %-12s %s\n", "help", "explain a command: mdf help train");
    mdf_strbuf_printf(out, "\nmdf --version prints the version. Exit code: %s\n%s\n", exits,
                      warning);
}

void app_help(mdf_strbuf *out, const app_command *c)
{
    if (c == NULL) {
        help_program(out);
        return;
    }
    char program[64];
    const arg_spec spec = app_spec(c, program);
    mdf_strbuf_puts(out, "usage: ");
    arg_help_synopsis(out, &spec);
    mdf_strbuf_printf(out, "\n\n%s\n", c->description);
    if (c->operand.metavar != NULL) {
        mdf_strbuf_printf(out, "\n%s: %s\n", c->operand.metavar, c->operand.help);
    }
    mdf_strbuf_puts(out, "\noptions:\n");
    arg_help_options(out, c->option, c->option_count);
    arg_help_options(out, spec.shared, spec.shared_count);
    mdf_strbuf_printf(out, "\nexample:\n%s\n", c->example);
}

/* The title of a page is the command with its words joined: mdf-data-synth. */
static void man_title(mdf_strbuf *out, const char *program, const char *summary)
{
    char title[64];
    size_t i = 0;
    for (; program[i] != '\0' && i + 1 < sizeof title; i++) {
        title[i] = program[i];
        if (title[i] == ' ') {
            title[i] = '-';
        }
    }
    title[i] = '\0';
    mdf_strbuf_printf(out, ".TH %s 1 \"\" \"mdf %s\" \"User Commands\"\n.SH NAME\n", title,
                      MDF_VERSION);
    arg_man_text(out, title);
    mdf_strbuf_puts(out, " \\- ");
    arg_man_text(out, summary);
    mdf_strbuf_puts(out, "\n");
}

static void man_program(mdf_strbuf *out)
{
    size_t count = 0;
    const app_command *const *commands = app_commands(&count);
    man_title(out, "mdf", "classify fundus photographs with text");
    mdf_strbuf_puts(out,
                    ".SH SYNOPSIS\n.B mdf\n.I COMMAND\n[\\fIOPTION\\fR]...\n.SH DESCRIPTION\n");
    arg_man_text(out, about);
    mdf_strbuf_puts(out, "\n.SH COMMANDS\n");
    for (size_t i = 0; i < count; i++) {
        mdf_strbuf_printf(out, ".TP\n.B %s\n", commands[i]->name);
        arg_man_text(out, commands[i]->summary);
        mdf_strbuf_puts(out, "\n");
    }
    mdf_strbuf_printf(out, ".SH EXIT STATUS\n%s\n.SH NOTES\n%s\n", exits, warning);
}

void app_man(mdf_strbuf *out, const app_command *c)
{
    if (c == NULL) {
        man_program(out);
        return;
    }
    char program[64];
    const arg_spec spec = app_spec(c, program);
    man_title(out, program, c->summary);
    mdf_strbuf_puts(out, ".SH SYNOPSIS\n");
    mdf_strbuf line = mdf_strbuf_new(4096);
    arg_help_synopsis(&line, &spec);
    arg_man_text(out, line.data != NULL ? line.data : program);
    mdf_strbuf_free(&line);
    mdf_strbuf_puts(out, "\n.SH DESCRIPTION\n");
    arg_man_text(out, c->description);
    if (c->operand.metavar != NULL) {
        mdf_strbuf_printf(out, "\n.PP\n\\fI%s\\fR: ", c->operand.metavar);
        arg_man_text(out, c->operand.help);
    }
    mdf_strbuf_puts(out, "\n.SH OPTIONS\n");
    arg_man_options(out, c->option, c->option_count);
    arg_man_options(out, spec.shared, spec.shared_count);
    mdf_strbuf_puts(out, ".SH EXAMPLES\n.nf\n");
    arg_man_text(out, c->example);
    mdf_strbuf_printf(out, "\n.fi\n.SH EXIT STATUS\n%s\n.SH NOTES\n%s\n", exits, warning);
}
