"""Text: files in the formats that corpora come in, read as documents of sentences, in bounded memory."""
