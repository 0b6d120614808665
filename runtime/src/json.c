/*===- json.c - A strict reader of what safetensors use of JSON ---------------===*/

#include "json.h"

#include <string.h>

static void nnc_json_skip(nnc_json *json) {
  while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
    ++json->at;
}

bool nnc_json_at_end(nnc_json *json) {
  nnc_json_skip(json);
  return json->at == json->end;
}

bool nnc_json_take(nnc_json *json, char mark) {
  nnc_json_skip(json);
  if (json->at == json->end || *json->at != mark)
    return false;
  ++json->at;
  return true;
}

bool nnc_json_take_natural(nnc_json *json, int64_t *out_value) {
  nnc_json_skip(json);
  char *first = json->at;
  int64_t value = 0;
  while (json->at < json->end && *json->at >= '0' && *json->at <= '9') {
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *json->at - '0', &value))
      return false;
    ++json->at;
  }
  *out_value = value;
  return json->at > first && (*first != '0' || json->at == first + 1);
}

/*--- Strings ---------------------------------------------------------------*/

/** The bytes of the UTF-8 sequence here; 0 when it is not one (RFC 3629). */
static int nnc_utf8_length(const char *text, const char *end) {
  const unsigned char *bytes = (const unsigned char *)text;
  int length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xc2 ? 0 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
  if (bytes[0] > 0xf4 || length > end - text)
    return 0;
  for (int i = 1; i < length; ++i)
    if ((bytes[i] & 0xc0) != 0x80)
      return 0;
  if (length == 3 && ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xed && bytes[1] > 0x9f)))
    return 0; /* too long, or half of a surrogate pair */
  if (length == 4 && ((bytes[0] == 0xf0 && bytes[1] < 0x90) || (bytes[0] == 0xf4 && bytes[1] > 0x8f)))
    return 0; /* too long, or beyond U+10FFFF */
  return length;
}

static char *nnc_utf8_append(char *out, uint32_t code) {
  if (code < 0x80) {
    *out++ = (char)code;
    return out;
  }
  int rest = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  *out++ = (char)((0xff00 >> (rest + 1) & 0xff) | code >> 6 * rest);
  while (rest-- > 0)
    *out++ = (char)(0x80 | (code >> 6 * rest & 0x3f));
  return out;
}

/** Takes the four digits of a \u. */
static bool nnc_json_take_hex(nnc_json *json, uint32_t *out_code) {
  uint32_t code = 0;
  if (json->end - json->at < 4)
    return false;
  for (int i = 0; i < 4; ++i) {
    static const char digits[] = "0123456789abcdef";
    char letter = *json->at;
    const char *digit = memchr(digits, letter >= 'A' && letter <= 'F' ? letter + 32 : letter, 16);
    if (!digit)
      return false;
    code = code << 4 | (uint32_t)(digit - digits);
    ++json->at;
  }
  *out_code = code;
  return true;
}

/** Takes what follows a backslash; appends what it stands for. */
static bool nnc_json_take_escape(nnc_json *json, char **out) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  if (json->at == json->end)
    return false;
  char letter = *json->at;
  const char *found = memchr(letters, letter, sizeof letters - 1);
  if (!found && letter != 'u')
    return false;
  ++json->at;
  if (found) {
    *(*out)++ = meanings[found - letters];
    return true;
  }
  uint32_t code, low;
  if (!nnc_json_take_hex(json, &code) || code == 0 || (code >= 0xdc00 && code < 0xe000))
    return false;
  if (code >= 0xd800 && code < 0xdc00) {
    if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
      return false;
    json->at += 2;
    if (!nnc_json_take_hex(json, &low) || low < 0xdc00 || low > 0xdfff)
      return false;
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  *out = nnc_utf8_append(*out, code);
  return true;
}

bool nnc_json_take_string(nnc_json *json, const char **out_text) {
  if (!nnc_json_take(json, '"'))
    return false;
  /* What is decoded is never longer than it was written. */
  char *out = json->at;
  *out_text = out;
  while (json->at < json->end) {
    if (*json->at == '"') {
      *out = '\0';
      ++json->at;
      return true;
    }
    if (*json->at == '\\') {
      ++json->at;
      if (!nnc_json_take_escape(json, &out))
        return false;
      continue;
    }
    int length = (unsigned char)*json->at < 0x20 ? 0 : nnc_utf8_length(json->at, json->end);
    if (length == 0)
      return false;
    memmove(out, json->at, (size_t)length);
    out += length;
    json->at += length;
  }
  return false;
}
