python3 -c "import zipfile; zipfile.ZipFile('x.pt', 'w').writestr('word/document.xml', 'x')" && ckpt inspect x.pt
