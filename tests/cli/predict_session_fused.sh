# What a U-Net saw is saved and resumed too, whichever way its features go into the text model; and keys of every type.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
template='{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ "<|image|>" if p.type == "image" else p.text }}{% endfor %}{% endif %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>{% endif %}'
for way in branch/text_to_unet branch/unet_to_text concat/none; do
    map='[[1,1],[1,2],[3,3],[3,4]]'
    [ "${way%/*}" = branch ] || map='[[1,1],[3,3]]'
    "$mdf" init -q --config tiny --seed 7 --set fusion_config.attend="${way%/*}" --set fusion_config.film_direction="${way#*/}" \
        --set fusion_config.map="$map" --set text_config.num_attention_heads=2 --set text_config.num_key_value_heads=1 --out model >/dev/null
    printf '%s' "$template" >model/chat_template.jinja
    for type in f16 bf16 f32 q8_0; do
        "$mdf" predict -q --model ./model --kv-type $type --max-tokens 6 --session whole --ask "What?" --ask "Why?" data/images/P0001_left.png >said
        "$mdf" predict -q --model ./model --kv-type $type --max-tokens 6 --session talk --ask "What?" data/images/P0001_left.png >/dev/null
        "$mdf" predict -q --model ./model --kv-type $type --max-tokens 6 --session talk --ask "Why?" >/dev/null
        cmp whole talk && echo "$way $type: the same"
        grep -aoE '"(film|branch.[0-9].head.0.v)"' talk | tr '\n' ' '
        echo
        rm whole talk
    done
    rm -r model
done
