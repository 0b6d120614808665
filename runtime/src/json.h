/*===- json.h - A strict reader of what safetensors use of JSON ---------------===*\
 *
 * Objects, arrays, strings and natural numbers (RFC 8259), read in place from
 * text that may be written to. Every function skips white space first, and gives
 * false where something else stands; where it stands then says where.
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_JSON_H
#define NNC_JSON_H

#include <stdbool.h>
#include <stdint.h>

typedef struct nnc_json {
  char *begin, *at, *end;
} nnc_json;

/** Takes a mark: one of { } [ ] : , */
bool nnc_json_take(nnc_json *json, char mark);

/** Whether nothing but white space is left. */
bool nnc_json_at_end(nnc_json *json);

/** Takes a string, decoded to UTF-8 in place. One with a null in it is refused. */
bool nnc_json_take_string(nnc_json *json, const char **out_text);

/** Takes a number of [0, 2^63), written as digits alone. */
bool nnc_json_take_natural(nnc_json *json, int64_t *out_value);

#endif /* NNC_JSON_H */
