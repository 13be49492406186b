/* Help text and man pages from the option tables of args.h. */
#include <stdio.h>
#include <string.h>

#include "args.h"

#define HELP_COLUMN 26 /* where the explanation of an option starts */
#define HELP_WIDTH  100

/* Writes words so that no line passes HELP_WIDTH; continuation lines start at HELP_COLUMN. */
static void wrap(mdf_strbuf *out, const char *text)
{
    size_t column = HELP_COLUMN;
    while (*text != '\0') {
        const size_t n = strcspn(text, " ");
        if (column + n + 1 > HELP_WIDTH) {
            mdf_strbuf_printf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            mdf_strbuf_puts(out, " ");
            column++;
        }
        mdf_strbuf_add(out, text, n);
        column += n;
        text += n + (text[n] == ' ' ? 1 : 0);
    }
    mdf_strbuf_puts(out, "\n");
}

/* "the phrase (default: 2; may be repeated)" */
static void explain(mdf_strbuf *out, const arg_option *o)
{
    mdf_strbuf_puts(out, o->help);
    if (o->required) {
        mdf_strbuf_puts(out, o->kind == ARG_LIST ? " (required; may be repeated)" : " (required)");
    } else if (o->kind == ARG_LIST) {
        mdf_strbuf_puts(out, " (may be repeated)");
    } else if (o->fallback != NULL) {
        mdf_strbuf_printf(out, " (default: %s)", o->fallback);
    }
}

void arg_help_options(mdf_strbuf *out, const arg_option *option, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const arg_option *o = &option[i];
        char head[96];
        char letter[8] = "    ";
        if (o->letter != 0) {
            (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
        }
        const int n = snprintf(head, sizeof head, "  %s--%s%s%s", letter, o->name,
                               o->metavar != NULL ? " " : "", o->metavar != NULL ? o->metavar : "");
        mdf_strbuf_puts(out, head);
        if (n + 2 > HELP_COLUMN) {
            mdf_strbuf_printf(out, "\n%*s", HELP_COLUMN, "");
        } else {
            mdf_strbuf_printf(out, "%*s", HELP_COLUMN - n, "");
        }
        mdf_strbuf text = mdf_strbuf_new(4096);
        explain(&text, o);
        wrap(out, text.data != NULL ? text.data : o->help);
        mdf_strbuf_free(&text);
    }
}

void arg_help_synopsis(mdf_strbuf *out, const arg_spec *spec)
{
    mdf_strbuf_puts(out, spec->program);
    for (size_t i = 0; i < spec->option_count; i++) {
        const arg_option *o = &spec->option[i];
        if (o->required) {
            mdf_strbuf_printf(out, " --%s %s", o->name, o->metavar);
        }
    }
    mdf_strbuf_puts(out, " [OPTION]...");
    const arg_operand *rest = &spec->operand;
    if (rest->metavar != NULL) {
        mdf_strbuf_printf(out, rest->min > 0 ? " %s%s" : " [%s]%s", rest->metavar,
                          rest->max > 1 ? "..." : "");
    }
}

void arg_man_text(mdf_strbuf *out, const char *text)
{
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            mdf_strbuf_puts(out, "\\&");
        }
        line_start = *text == '\n';
        if (*text == '\\') {
            mdf_strbuf_puts(out, "\\e");
        } else if (*text == '-') {
            mdf_strbuf_puts(out, "\\-");
        } else {
            mdf_strbuf_add(out, text, 1);
        }
    }
}

void arg_man_options(mdf_strbuf *out, const arg_option *option, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const arg_option *o = &option[i];
        mdf_strbuf text = mdf_strbuf_new(4096);
        mdf_strbuf_puts(out, ".TP\n");
        if (o->letter != 0) {
            mdf_strbuf_printf(out, "\\fB\\-%c\\fR, ", o->letter);
        }
        mdf_strbuf_puts(out, "\\fB\\-\\-");
        arg_man_text(out, o->name);
        mdf_strbuf_puts(out, "\\fR");
        if (o->metavar != NULL) {
            mdf_strbuf_puts(out, " \\fI");
            arg_man_text(out, o->metavar);
            mdf_strbuf_puts(out, "\\fR");
        }
        mdf_strbuf_puts(out, "\n");
        explain(&text, o);
        arg_man_text(out, text.data != NULL ? text.data : o->help);
        mdf_strbuf_puts(out, "\n");
        mdf_strbuf_free(&text);
    }
}
