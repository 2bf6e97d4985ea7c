import { complex, reference, type Schema, string } from './attribute.ts';

export const groupSchema = 'urn:ietf:params:scim:schemas:core:2.0:Group';

/** RFC 7643, section 4.2. */
export const coreGroup: Schema = {
  id: groupSchema,
  name: 'Group',
  description: 'A set of people and of other groups',
  attributes: [
    string('displayName', 'The name of the group', { required: true }),
    complex(
      'members',
      'People and groups in it',
      [
        string('value', 'Id of the user or group', { caseExact: true, mutability: 'immutable' }),
        reference('$ref', 'Address of the user or group; may stand for the id', {
          referenceTypes: ['User', 'Group'],
          mutability: 'immutable',
        }),
        string('display', 'Name of the user or group', { mutability: 'readOnly' }),
        string('type', 'User or Group', { canonicalValues: ['User', 'Group'], mutability: 'immutable' }),
      ],
      { multiValued: true },
    ),
  ],
};
