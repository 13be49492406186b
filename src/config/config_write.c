/* mdf_config -> JSON, in the order of the schema, and the table of keys for people. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_schema.h"

static const void *at(const mdf_config *c, size_t offset)
{
    return (const char *)c + offset;
}

/* The shortest digits that read back as the same number, always with a point or an exponent. */
static void put_real(mdf_strbuf *out, double x)
{
    char digits[40];
    for (int precision = 6; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*g", precision, x);
        if (strtod(digits, NULL) == x) { /* exactness is the point */
            break;
        }
    }
    mdf_strbuf_puts(out, digits);
    if (strpbrk(digits, ".en") == NULL) {
        mdf_strbuf_puts(out, ".0");
    }
}

static void put_string(mdf_strbuf *out, const char *s)
{
    mdf_strbuf_puts(out, "\"");
    for (; *s != '\0'; s++) {
        const unsigned char ch = (unsigned char)*s;
        if (ch == '"' || ch == '\\') {
            mdf_strbuf_printf(out, "\\%c", *s);
        } else if (ch < 0x20) {
            mdf_strbuf_printf(out, "\\u%04x", ch);
        } else {
            mdf_strbuf_add(out, s, 1);
        }
    }
    mdf_strbuf_puts(out, "\"");
}

static void put_list(mdf_strbuf *out, const mdf_config *c, const mdf_config_key *k)
{
    const int n = *(const int *)at(c, k->count_offset);
    mdf_strbuf_puts(out, "[");
    for (int i = 0; i < n; i++) {
        mdf_strbuf_puts(out, i > 0 ? ", " : "");
        if (k->kind == MDF_KEY_INTS) {
            mdf_strbuf_printf(out, "%d", ((const int *)at(c, k->offset))[i]);
        } else if (k->kind == MDF_KEY_PAIRS) {
            const mdf_map_entry p = ((const mdf_map_entry *)at(c, k->offset))[i];
            mdf_strbuf_printf(out, "[%d, %d]", p.layer, p.level);
        } else if (k->kind == MDF_KEY_WORDS) {
            put_string(out, k->choice[((const int *)at(c, k->offset))[i]]);
        } else if (k->kind == MDF_KEY_STAGES) {
            mdf_strbuf_puts(out, (const char *)at(c, k->offset) + (size_t)i * MDF_STAGE_BYTES);
        } else {
            put_string(out, (const char *)at(c, k->offset) + (size_t)i * (MDF_MAX_LABEL_BYTES + 1));
        }
    }
    mdf_strbuf_puts(out, "]");
}

static void put_ratios(mdf_strbuf *out, int tiles)
{
    const char *comma = "";
    mdf_strbuf_puts(out, "[");
    for (int h = 1; h <= tiles; h++) {
        for (int w = 1; h * w <= tiles; w++) {
            mdf_strbuf_printf(out, "%s[%d, %d]", comma, h, w);
            comma = ", ";
        }
    }
    mdf_strbuf_puts(out, "]");
}

static void put_value(mdf_strbuf *out, const mdf_config *c, const mdf_config_key *k)
{
    switch (k->kind) {
    case MDF_KEY_INT:
        mdf_strbuf_printf(out, "%d", *(const int *)at(c, k->offset));
        break;
    case MDF_KEY_REAL:
        put_real(out, *(const double *)at(c, k->offset));
        break;
    case MDF_KEY_BOOL:
        mdf_strbuf_puts(out, *(const bool *)at(c, k->offset) ? "true" : "false");
        break;
    case MDF_KEY_CHOICE:
        put_string(out, k->choice[k->capacity == 1 ? (int)*(const bool *)at(c, k->offset)
                                                   : *(const int *)at(c, k->offset)]);
        break;
    case MDF_KEY_TEXT:
        put_string(out, at(c, k->offset));
        break;
    case MDF_KEY_FIXED:
        put_string(out, k->choice[0]);
        break;
    case MDF_KEY_DERIVED:
        if (strcmp(k->name, "vision_output_dim") == 0) {
            mdf_strbuf_printf(out, "%d", mdf_config_vision_output(c));
        } else {
            put_ratios(out, c->vision.max_num_tiles);
        }
        break;
    case MDF_KEY_INTS:
    case MDF_KEY_PAIRS:
    case MDF_KEY_LABELS:
    case MDF_KEY_WORDS:
    case MDF_KEY_OLD:
    case MDF_KEY_STAGES:
    case MDF_KEY_IGNORED:
    default:
        put_list(out, c, k);
        break;
    }
}

static bool is_written(const mdf_config_key *k)
{
    return k->kind != MDF_KEY_IGNORED && k->kind != MDF_KEY_OLD;
}

static void put_name(mdf_strbuf *out, const char *name, int depth, bool first)
{
    mdf_strbuf_printf(out, "%s\n%*s\"%s\": ", first ? "" : ",", 2 * (depth + 1), "", name);
}

/* The keys of a section, then the objects inside it. */
static void put_section(mdf_strbuf *out, const mdf_config *c, const char *section, int depth);

static bool inside(const char *child, const char *section)
{
    const size_t n = strlen(section);
    const char *rest = child + n + (n > 0 ? 1 : 0);
    return child[0] != '\0' && strncmp(child, section, n) == 0 && strlen(child) > n &&
           (n == 0 || child[n] == '.') && strchr(rest, '.') == NULL;
}

static void put_children(mdf_strbuf *out, const mdf_config *c, const char *section, int depth,
                         bool first)
{
    for (size_t i = 1; i < mdf_config_section_count; i++) {
        const char *child = mdf_config_sections[i];
        if (!inside(child, section)) {
            continue;
        }
        if ((strcmp(child, "vision_config") == 0 && !mdf_config_has_vision(c)) ||
            (strcmp(child, "unet_config") == 0 && !mdf_config_has_unet(c))) {
            continue; /* that part is left out */
        }
        const char *dot = strrchr(child, '.');
        put_name(out, dot == NULL ? child : dot + 1, depth, first);
        first = false;
        if (strcmp(child, "text_config.rope_scaling") == 0 && !c->text.rope_scaling.enabled) {
            mdf_strbuf_puts(out, "null");
        } else {
            put_section(out, c, child, depth + 1);
        }
    }
}

static void put_section(mdf_strbuf *out, const mdf_config *c, const char *section, int depth)
{
    bool first = true;
    mdf_strbuf_puts(out, "{");
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        if (is_written(k) && strcmp(k->section, section) == 0) {
            put_name(out, k->name, depth, first);
            put_value(out, c, k);
            first = false;
        }
    }
    put_children(out, c, section, depth, first);
    mdf_strbuf_printf(out, "\n%*s}", 2 * depth, "");
}

mdf_status mdf_config_write(const mdf_config *c, mdf_strbuf *out, mdf_error *err)
{
    put_section(out, c, "", 0);
    mdf_strbuf_puts(out, "\n");
    return out->failed ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration")
                       : MDF_OK;
}

static void describe_range(mdf_strbuf *out, const mdf_config_key *k)
{
    if (k->choice != NULL) {
        for (int i = 0; k->choice[i] != NULL; i++) {
            mdf_strbuf_printf(out, "%s%s", i > 0 ? " | " : "", k->choice[i]);
        }
    } else if (k->kind == MDF_KEY_BOOL) {
        mdf_strbuf_puts(out, "true | false");
    } else if (k->max > k->min) {
        mdf_strbuf_printf(out, "%.15g to %.15g", k->min, k->max);
    }
}

void mdf_config_describe(mdf_strbuf *out)
{
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        if (!is_written(k)) {
            continue;
        }
        char path[MDF_CONFIG_PATH];
        mdf_config_key_path(k, path);
        const char *initial = k->initial != NULL ? k->initial : "";
        mdf_strbuf_printf(out, "%s\t%s\t", path, k->required ? "required" : initial);
        describe_range(out, k);
        mdf_strbuf_printf(out, "\t%s\n", k->doc);
    }
}
