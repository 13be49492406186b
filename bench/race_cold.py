"""transformers from a cold process to its first answer: one token, printed. For race_cold.sh.

    python bench/race_cold.py --model DIR --ask QUESTION [--image FILE] --threads 2
"""

import argparse

import torch


def main():
    """Imports what is needed, loads, answers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--ask", required=True)
    parser.add_argument("--image")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.image is None:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        reader = AutoTokenizer.from_pretrained(args.model)
        model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
        chat = [{"role": "user", "content": args.ask}]
        inputs = reader.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        inputs.pop("token_type_ids", None)
    else:
        from PIL import Image
        from transformers import AutoProcessor, MllamaForConditionalGeneration
        reader = AutoProcessor.from_pretrained(args.model)
        model = MllamaForConditionalGeneration.from_pretrained(args.model, dtype=torch.float32)
        chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": args.ask}]}]
        text = reader.apply_chat_template(chat, add_generation_prompt=True)
        inputs = reader(images=Image.open(args.image), text=text, add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        answer = model.generate(**inputs, max_new_tokens=1, do_sample=False)
    print(inputs["input_ids"].shape[1], answer[0, -1].item())


if __name__ == "__main__":
    main()
