/* Does a text give its own label away? */
#include <ctype.h>
#include <string.h>

#include "data/check.h"

typedef struct synonym {
    const char *label;
    const char *words;
} synonym;

/* Only phrases that name the disease itself; signs of it ("drusen") are what a text is for. */
static const synonym synonyms[] = {
    {"amd", "age-related macular degeneration"},
    {"amd", "macular degeneration"},
    {"amd", "armd"},
    {"armd", "amd"},
    {"armd", "macular degeneration"},
    {"cataract", "cataracts"},
    {"dr", "diabetic retinopathy"},
    {"dr", "nonproliferative retinopathy"},
    {"dr", "non-proliferative retinopathy"},
    {"dr", "proliferative retinopathy"},
    {"dr", "npdr"},
    {"dr", "pdr"},
    {"diabetic_retinopathy", "dr"},
    {"glaucoma", "glaucomatous"},
    {"hypertensive_retinopathy", "hypertensive retinopathy"},
    {"myopia", "myopic"},
    {"normal", "healthy"},
    {"healthy", "normal"},
    {"retinitis_pigmentosa", "rp"},
    {"rp", "retinitis pigmentosa"},
    {"stargardt", "stargardt's"},
};

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) != 0 || ((unsigned char)c & 0x80) != 0;
}

/* '_' and '-' and ' ' are the same, and so are upper and lower case. */
static char folded(char c)
{
    return c == '_' || c == '-' ? ' ' : (char)tolower((unsigned char)c);
}

static bool contains_words(const char *text, size_t len, const char *words)
{
    const size_t n = strlen(words);
    for (size_t i = 0; n != 0 && n <= len && i <= len - n; i++) {
        size_t k = 0;
        while (k < n && folded(text[i + k]) == folded(words[k])) {
            k++;
        }
        const bool starts = i == 0 || !is_word_char(text[i - 1]);
        if (k == n && starts && (i + n == len || !is_word_char(text[i + n]))) {
            return true;
        }
    }
    return false;
}

bool mdf_check_names_label(const char *text, size_t len, const char *label)
{
    if (contains_words(text, len, label)) {
        return true;
    }
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
        if (strcmp(synonyms[i].label, label) == 0 && contains_words(text, len, synonyms[i].words)) {
            return true;
        }
    }
    return false;
}
