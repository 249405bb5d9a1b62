package org.fhirstack.gateway;

/** Where in a document: written as FHIR writes it, {@code Bundle.entry[3].resource.subject}. */
public record ElementPath(ElementPath parent, String name, int index) {

    public static ElementPath of(String root) {
        return new ElementPath(null, root, -1);
    }

    public ElementPath member(String name) {
        return new ElementPath(this, name, -1);
    }

    public ElementPath item(int index) {
        return new ElementPath(this, null, index);
    }

    /** The refusal of what stands here. */
    public Refusal refuse(String why) {
        return Refusal.malformed(this + ": " + why);
    }

    @Override
    public String toString() {
        String here = name == null ? "[" + index + "]" : name.matches("[A-Za-z_]\\w{0,63}") ? name : "?";
        return parent == null ? here : parent + (name == null ? here : "." + here);
    }
}
