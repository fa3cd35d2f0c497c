/* The program of wheel, archive and bundle. The command's code is in libatrous.so, which other languages load, too. */
int atrous_main(int argc, char **argv);

int main(int argc, char **argv) { return atrous_main(argc, argv); }
