.PHONY: test

# Everything that must hold before a change is merged. Installs what it needs.
test:
	@scripts/test.sh
