/* Chats -> text with marked special tokens. */
#include "language/chat.h"

#include <string.h>
#include <time.h>

#define BEGIN_OF_TEXT "<|begin_of_text|>"

/* White space as Python's str.strip() and so Jinja's trim know it. */
static bool is_white(uint32_t c)
{
    static const uint32_t range[][2] = {
        {0x9, 0xD},       {0x1C, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
        {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
    for (size_t i = 0; i < sizeof range / sizeof range[0]; i++) {
        if (c >= range[i][0] && c <= range[i][1]) {
            return true;
        }
    }
    return false;
}

/* Bytes of the white space that s begins with: one character, of at most three bytes; 0 = none. */
static size_t white_at(const uint8_t *s, size_t len)
{
    if (len >= 1 && s[0] < 0x80) {
        return is_white(s[0]) ? 1 : 0;
    }
    if (len >= 2 && (s[0] & 0xE0) == 0xC0) {
        return is_white((uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F)) ? 2 : 0;
    }
    if (len >= 3 && (s[0] & 0xF0) == 0xE0) {
        return is_white((uint32_t)(s[0] & 0xF) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F))
                   ? 3
                   : 0;
    }
    return 0;
}

static mdf_text_view trim(const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t len = strlen(text);
    for (size_t n = white_at(s, len); n > 0; n = white_at(s, len)) {
        s += n;
        len -= n;
    }
    for (bool more = true; more && len > 0;) {
        size_t back = 1; /* to the first byte of the last character */
        while (back < len && back < 3 && (s[len - back] & 0xC0) == 0x80) {
            back++;
        }
        more = white_at(s + len - back, back) == back;
        len -= more ? back : 0;
    }
    return (mdf_text_view){(const char *)s, len};
}

static void put_text(mdf_marked *m, const char *text)
{
    mdf_marked_text(m, text, strlen(text));
}

static void put_header(mdf_marked *m, mdf_chat_kind kind, const char *role)
{
    if (kind == MDF_CHAT_CHATML) {
        mdf_marked_special(m, "<|im_start|>");
        put_text(m, role);
        put_text(m, "\n");
        return;
    }
    mdf_marked_special(m, "<|start_header_id|>");
    put_text(m, role);
    mdf_marked_special(m, "<|end_header_id|>");
    put_text(m, "\n\n");
}

static void put_end(mdf_marked *m, mdf_chat_kind kind)
{
    if (kind == MDF_CHAT_CHATML) {
        mdf_marked_special(m, "<|im_end|>");
        put_text(m, "\n");
        return;
    }
    mdf_marked_special(m, "<|eot_id|>");
}

static void put_message(mdf_marked *m, const mdf_chat_template *t, const mdf_chat_message *message)
{
    put_header(m, t->kind, message->role);
    for (size_t i = 0; i < message->count; i++) {
        const char *text = message->part[i].text;
        if (text == NULL) {
            mdf_marked_special(m, MDF_IMAGE_TOKEN);
        } else if (t->trims) {
            const mdf_text_view view = trim(text);
            mdf_marked_text(m, view.text, view.len);
        } else {
            put_text(m, text);
        }
    }
    put_end(m, t->kind);
}

/* "%d %b %Y" in English, whatever the locale says. */
static void write_today(char out[16])
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const time_t now = time(NULL);
    struct tm day = {0};
    if (localtime_r(&now, &day) == NULL) {
        day = (struct tm){.tm_mday = 1, .tm_year = 70};
    }
    const int year = 1900 + day.tm_year;
    const char text[] = {(char)('0' + day.tm_mday / 10),
                         (char)('0' + day.tm_mday % 10),
                         ' ',
                         months[3 * day.tm_mon],
                         months[3 * day.tm_mon + 1],
                         months[3 * day.tm_mon + 2],
                         ' ',
                         (char)('0' + year / 1000 % 10),
                         (char)('0' + year / 100 % 10),
                         (char)('0' + year / 10 % 10),
                         (char)('0' + year % 10),
                         '\0'};
    memcpy(out, text, sizeof text);
}

static size_t count_pictures(const mdf_chat_message *message, size_t count)
{
    size_t pictures = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < message[i].count; j++) {
            pictures += message[i].part[j].text == NULL ? 1 : 0;
        }
    }
    return pictures;
}

static mdf_status check_messages(const mdf_chat_template *t, const mdf_chat_message *message,
                                 size_t count, mdf_error *err)
{
    if (count == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "the chat has no message");
    }
    for (size_t i = 0; i < count; i++) {
        const char *role = message[i].role;
        if (strcmp(role, "system") != 0 && strcmp(role, "user") != 0 &&
            strcmp(role, "assistant") != 0) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "message %zu: the role \"%.40s\" is none of system, user, assistant",
                            i + 1, role);
        }
    }
    if (!t->images && count_pictures(message, count) > 0) {
        return mdf_fail(err, MDF_ERR_ARG, "this model's chat template takes no picture");
    }
    return MDF_OK;
}

/* The block that the full template puts first when there is no picture. */
static void put_system_block(mdf_marked *m, mdf_text_view system, const char *date)
{
    char today[16];
    write_today(today);
    put_header(m, MDF_CHAT_FULL, "system");
    put_text(m, "Cutting Knowledge Date: December 2023\nToday Date: ");
    put_text(m, date != NULL ? date : today);
    put_text(m, "\n\n");
    mdf_marked_text(m, system.text, system.len);
    put_end(m, MDF_CHAT_FULL);
}

/* Sets *skip to the messages that the block took up. */
static mdf_status begin_full(mdf_marked *m, const mdf_chat_message *message, size_t count,
                             const mdf_chat_options *opt, size_t *skip, mdf_error *err)
{
    mdf_text_view system = {"", 0};
    *skip = strcmp(message[0].role, "system") == 0 ? 1 : 0;
    if (*skip > 0) {
        if (message[0].count != 1 || message[0].part[0].text == NULL) {
            return mdf_fail(err, MDF_ERR_ARG, "a system message must be one text");
        }
        system = trim(message[0].part[0].text);
    }
    if (count_pictures(message + *skip, count - *skip) == 0) {
        put_system_block(m, system, opt->date);
    } else if (system.len > 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "the model takes no system message together with a picture: put the "
                        "instructions into the user's turn");
    }
    return MDF_OK;
}

mdf_status mdf_chat_render(mdf_marked *out, const mdf_chat_template *t,
                           const mdf_chat_message *message, size_t count,
                           const mdf_chat_options *opt, mdf_error *err)
{
    size_t from = 0;
    MDF_TRY(check_messages(t, message, count, err));
    if (t->kind != MDF_CHAT_CHATML) {
        mdf_marked_special(out, BEGIN_OF_TEXT);
    }
    if (t->kind == MDF_CHAT_FULL) {
        MDF_TRY(begin_full(out, message, count, opt, &from, err));
    } else if (t->system[0] != '\0' && strcmp(message[0].role, "system") != 0) {
        const mdf_chat_part part = {t->system};
        put_message(out, t, &(mdf_chat_message){"system", &part, 1});
    }
    for (size_t i = from; i < count; i++) {
        put_message(out, t, &message[i]);
    }
    if (opt->ask) {
        put_header(out, t->kind, "assistant");
    }
    if (out->text.failed || out->marks.failed) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the chat is longer than the limit of %zu bytes",
                        out->text.max_bytes);
    }
    return MDF_OK;
}

mdf_status mdf_chat_plain(mdf_marked *out, const char *text, mdf_error *err)
{
    static const char *const name[] = {MDF_IMAGE_TOKEN, BEGIN_OF_TEXT};
    const size_t image = sizeof MDF_IMAGE_TOKEN - 1;
    if (strstr(text, BEGIN_OF_TEXT) == NULL) {
        while (strncmp(text, MDF_IMAGE_TOKEN, image) == 0) {
            mdf_marked_special(out, MDF_IMAGE_TOKEN);
            text += image;
        }
        mdf_marked_special(out, BEGIN_OF_TEXT);
    }
    while (*text != '\0') {
        const char *next = text + strlen(text);
        const char *special = NULL;
        for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
            const char *found = strstr(text, name[i]);
            if (found != NULL && found < next) {
                next = found;
                special = name[i];
            }
        }
        mdf_marked_text(out, text, (size_t)(next - text));
        if (special != NULL) {
            mdf_marked_special(out, special);
            next += strlen(special);
        }
        text = next;
    }
    if (out->text.failed || out->marks.failed) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the prompt is longer than the limit of %zu bytes",
                        out->text.max_bytes);
    }
    return MDF_OK;
}
